/*
 * main.c - quell-head: one loop over libquell's descriptor and the HTTP socket.
 *
 * The reference head. It places nothing: whoever adds a task names its node.
 */
#include "base/cleanup.h"
#include "base/log.h"
#include "base/user_cache.h"
#include "head/options.h"
#include "head/routes.h"

#include <event2/event.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#define OPERATORS          "quell"
#define SOCKET_MODE        0666            /* the peer's credentials decide, not the file's mode */
#define BODY_MAX           (1024u * 1024u) /* a specification of 128 KiB, escaped in JSON */
#define HEADER_MAX         8192u
#define CONNECTIONS_MAX    1024u
#define STREAMS_MAX        64u /* each change of a status is written to each */
#define USER_DEADLINE_MS   10000u
#define USER_TROUBLE_MS    5000u
#define REQUEST_TIMEOUT_MS 30000u
#define FILES_WANTED       65536u

struct head {
    struct event_base *base;
    struct quell *quell;
    struct user_cache *users;
    struct http_server *server;
    struct routes routes;
    struct event *on_quell;
    struct event *on_users;
    struct event *on_term;
    struct event *on_int;
    bool failed;
};

static void on_log(void *arg, int level, const char *text)
{
    (void) arg;
    log_write((enum log_level) level, "%s", text);
}

static void on_quell(evutil_socket_t fd, short what, void *arg)
{
    struct head *head = arg;
    struct err err;

    (void) fd;
    (void) what;
    if (quell_dispatch(head->quell, &err) == 0)
        return;
    log_error("%s", err.text);
    head->failed = true;
    (void) event_base_loopbreak(head->base);
}

static void on_users(evutil_socket_t fd, short what, void *arg)
{
    struct head *head = arg;

    (void) fd;
    (void) what;
    user_cache_dispatch(head->users);
}

static void on_end(evutil_socket_t signal, short what, void *arg)
{
    struct head *head = arg;

    (void) what;
    log_info("ending on signal %d", (int) signal);
    (void) event_base_loopbreak(head->base);
}

/* One descriptor for each connected node: the soft limit is often 1024. */
static void raise_files_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= FILES_WANTED)
        return;
    limit.rlim_cur = limit.rlim_max < FILES_WANTED ? limit.rlim_max : FILES_WANTED;
    (void) setrlimit(RLIMIT_NOFILE, &limit);
}

static int open_quell(struct head *head, const struct options *options, struct err *err)
{
    struct quell_options quell = {
        .state_dir = options->state_dir,
        .listen = (const char *const *) options->listen,
        .listen_len = options->listen_len,
        .insecure = options->insecure,
        .heartbeat_ms = options->heartbeat_ms,
        .has_grace = true,
        .grace_ms = options->grace_ms,
        .keep_ms = options->keep_ms,
        .on_log = on_log,
    };

    return quell_open(&quell, &head->quell, err);
}

static int open_socket(struct head *head, const struct options *options, struct err *err)
{
    struct http_server_options http = {
        .path = options->socket,
        .mode = SOCKET_MODE,
        .body_max = BODY_MAX,
        .header_max = HEADER_MAX,
        .streams_max = STREAMS_MAX,
        .connections_max = CONNECTIONS_MAX,
        .request_timeout_ms = REQUEST_TIMEOUT_MS,
    };
    const struct group *group = getgrnam(OPERATORS); /* once, before the loop: NSS may block */

    head->routes = (struct routes){.quell = head->quell, .users = head->users};
    if (group) {
        head->routes.has_operators = true;
        head->routes.operators = group->gr_gid;
    }
    int r = http_server_open(head->base, &http, routes_handle, &head->routes, &head->server, err);

    head->routes.server = head->server;
    return r;
}

/* Before there is anything that a signal would leave behind. */
static int watch_signals(struct head *head, struct err *err)
{
    head->on_term = evsignal_new(head->base, SIGTERM, on_end, head);
    head->on_int = evsignal_new(head->base, SIGINT, on_end, head);
    if (!head->on_term || !head->on_int || event_add(head->on_term, NULL) < 0 ||
        event_add(head->on_int, NULL) < 0)
        return err_set(err, -1, "the signals could not be watched");
    return 0;
}

static int open_users(struct head *head, struct err *err)
{
    static const struct user_cache_options users = {.deadline_ms = USER_DEADLINE_MS,
                                                    .keep_trouble_ms = USER_TROUBLE_MS};
    const int r = user_cache_new(&users, &head->users, err);

    if (r < 0)
        return r;
    head->on_users =
        event_new(head->base, user_cache_fd(head->users), EV_READ | EV_PERSIST, on_users, head);
    if (!head->on_users || event_add(head->on_users, NULL) < 0)
        return err_set(err, -1, "the event loop could not be set up");
    return 0;
}

static int watch_quell(struct head *head, struct err *err)
{
    head->on_quell =
        event_new(head->base, quell_fd(head->quell), EV_READ | EV_PERSIST, on_quell, head);
    if (!head->on_quell || event_add(head->on_quell, NULL) < 0)
        return err_set(err, -1, "the event loop could not be set up");
    return 0;
}

static int open_head(struct head *head, const struct options *options, struct err *err)
{
    int r;

    head->base = event_base_new();
    if (!head->base)
        return err_set(err, -1, "the event loop could not be made");
    r = open_users(head, err);
    if (r == 0)
        r = watch_signals(head, err);
    if (r == 0)
        r = open_quell(head, options, err);
    if (r == 0)
        r = open_socket(head, options, err);
    return r < 0 ? r : watch_quell(head, err);
}

/* Whoever still waits is answered before the sockets go. */
static void close_head(struct head *head)
{
    struct event *events[] = {head->on_quell, head->on_users, head->on_term, head->on_int};

    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
        if (events[i])
            event_free(events[i]);
    head->users = user_cache_free(head->users);
    head->quell = quell_close(head->quell);
    head->routes.quell = NULL; /* what is asked while the last answers go out is refused */
    if (head->server)
        (void) event_base_loop(head->base, EVLOOP_NONBLOCK);
    head->server = http_server_close(head->server);
    if (head->base)
        event_base_free(head->base);
}

static void log_ready(const struct options *options)
{
    char listen[1024] = "";
    size_t len = 0;

    for (size_t i = 0; i < options->listen_len && len < sizeof(listen); i++)
        len += (size_t) snprintf(listen + len, sizeof(listen) - len, "%s%s", i ? ", " : "",
                                 options->listen[i]);
    log_info("listening on %s, socket %s", listen, options->socket);
}

static int run(const struct options *options)
{
    struct head head = {0};
    struct err err;

    if (open_head(&head, options, &err) < 0) {
        (void) fprintf(stderr, "quell-head: %s\n", err.text);
        close_head(&head);
        return 1;
    }
    log_ready(options);
    if (event_base_dispatch(head.base) < 0)
        head.failed = true;
    close_head(&head);
    return head.failed ? 1 : 0;
}

int main(int argc, char **argv)
{
    struct options options;
    struct err err;
    int r;

    if (argc == 3 && strcmp(argv[1], USER_LOOKUP_FLAG) == 0)
        return user_lookup_main(argv[2]);
    log_open("quell-head");
    (void) signal(SIGPIPE, SIG_IGN);
    raise_files_limit();
    r = options_read(argc, argv, &options, &err);
    if (r == 0)
        r = run(&options);
    else if (r == SETTINGS_DONE)
        r = 0;
    else
        (void) fprintf(stderr, "quell-head: %s\n", err.text);
    options_done(&options);
    return r < 0 ? 1 : r;
}
