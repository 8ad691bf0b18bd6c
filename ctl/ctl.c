#include "ctl/ctl.h"

#include "base/cleanup.h"
#include "base/version.h"
#include "ctl/client.h"
#include "ctl/progress.h"
#include "ctl/task_view.h"
#include "ctl/text.h"
#include "ctl/verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ANSWER_TIMEOUT_MS 30000u
#define PAGE              500
#define JSON_FORM         JSON_REAL_PRECISION(10) /* 0.1 stays 0.1 */

/* One line on stderr. What a server says in it can't forge a second. */
static void complain(const char *subject, const char *code, const char *text)
{
    (void) fputs("quellctl: ", stderr);
    if (subject)
        (void) fprintf(stderr, "%s: ", subject);
    if (code) {
        (void) fputs("error ", stderr);
        text_write_string(stderr, code);
        (void) fputs(": ", stderr);
    }
    text_write_string(stderr, text);
    (void) fputc('\n', stderr);
}

void ctl_refuse(struct ctl *ctl, const char *subject, const char *code, const char *text)
{
    ctl->refused = true;
    progress_clear(ctl->progress);
    complain(subject, code, text);
}

void ctl_no_answer(struct ctl *ctl, const char *text)
{
    ctl->unanswered = true;
    ctl_remark(ctl, text);
}

void ctl_out_of_memory(struct ctl *ctl)
{
    ctl->refused = true;
    ctl_remark(ctl, "out of memory");
}

void ctl_remark(struct ctl *ctl, const char *text)
{
    progress_clear(ctl->progress);
    complain(NULL, NULL, text);
}

bool ctl_flush(struct ctl *ctl)
{
    char text[160];

    if (fflush(ctl->out) == 0 && !ferror(ctl->out))
        return true;
    (void) snprintf(text, sizeof(text), "standard output: %s", strerror(errno));
    ctl_refuse(ctl, NULL, NULL, text);
    return false;
}

/* An answer other than 2xx. */
static void take_refusal(struct ctl *ctl, const char *subject, long status, const json_t *json)
{
    const json_t *error = json_object_get(json, "error");
    const char *code = text_get_string(error, "code");
    const char *text = text_get_string(error, "text");
    char line[160];

    if (code && text) {
        ctl_refuse(ctl, subject, code, text);
    } else if (status == 413) {
        ctl_refuse(ctl, subject, "0x80070057", "The request is larger than the server takes.");
    } else {
        (void) snprintf(line, sizeof(line),
                        "the socket answered with HTTP status %ld and no word of why: is it a "
                        "socket of Quell?",
                        status);
        ctl_no_answer(ctl, line);
    }
}

/* Answers other than 2xx that are no refusal of the whole. */
enum tolerated {
    TOLERATE_NONE,
    TOLERATE_ABSENT, /* "not found": NULL, and nothing is printed */
    TOLERATE_PARTS,  /* refusals one by one: the answer is returned */
};

static bool has_parts(const json_t *answer)
{
    return json_array_size(json_object_get(answer, "refused")) > 0;
}

static json_t *ask(struct ctl *ctl, const char *subject, const char *path_and_query,
                   const char *body, uint64_t timeout_ms, enum tolerated tolerated)
{
    struct client_answer answer;
    struct err err = {0};
    json_t *json;

    if (client_request(ctl->client, path_and_query, body, timeout_ms, &answer, &err) < 0) {
        ctl_no_answer(ctl, err.text);
        return NULL;
    }
    json = json_loadb(answer.body ? answer.body : "", answer.body_len, JSON_ALLOW_NUL, NULL);
    free(answer.body);
    if (tolerated == TOLERATE_PARTS && has_parts(json))
        return json;
    if (answer.status / 100 != 2) {
        if (tolerated != TOLERATE_ABSENT || answer.status != 404)
            take_refusal(ctl, subject, answer.status, json);
    } else if (!json_is_object(json)) {
        ctl_no_answer(ctl, "the socket's answer is not JSON: is it a socket of Quell?");
    } else {
        return json;
    }
    json_decref(json);
    return NULL;
}

static json_t *ask_json(struct ctl *ctl, const char *subject, const char *path_and_query,
                        json_t *body, enum tolerated tolerated)
{
    CLEANUP_FREE char *text = NULL;

    if (body) {
        text = json_dumps(body, JSON_COMPACT | JSON_FORM);
        json_decref(body);
        if (!text) {
            ctl_out_of_memory(ctl);
            return NULL;
        }
    }
    return ask(ctl, subject, path_and_query, text, ANSWER_TIMEOUT_MS, tolerated);
}

json_t *ctl_ask(struct ctl *ctl, const char *subject, const char *path_and_query, json_t *body)
{
    return ask_json(ctl, subject, path_and_query, body, TOLERATE_NONE);
}

json_t *ctl_ask_parts(struct ctl *ctl, const char *subject, const char *path_and_query,
                      json_t *body)
{
    return ask_json(ctl, subject, path_and_query, body, TOLERATE_PARTS);
}

json_t *ctl_ask_waiting(struct ctl *ctl, const char *subject, const char *path_and_query,
                        uint64_t wait_ms)
{
    return ask(ctl, subject, path_and_query, NULL, ANSWER_TIMEOUT_MS + wait_ms, TOLERATE_NONE);
}

json_t *ctl_ask_if_there(struct ctl *ctl, const char *subject, const char *path_and_query)
{
    return ask(ctl, subject, path_and_query, NULL, ANSWER_TIMEOUT_MS, TOLERATE_ABSENT);
}

enum ctl_stream ctl_ask_stream(struct ctl *ctl, const char *path_and_query,
                               const struct client_sink *sink, struct err *err)
{
    struct client_answer answer;
    json_t *json;

    if (client_stream(ctl->client, path_and_query, sink, &answer, err) < 0) {
        if (answer.status / 100 == 2)
            return CTL_STREAM_BROKEN;
        ctl_no_answer(ctl, err->text);
        return CTL_STREAM_NONE;
    }
    if (answer.status / 100 == 2)
        return CTL_STREAM_ENDED;
    json = json_loadb(answer.body ? answer.body : "", answer.body_len, JSON_ALLOW_NUL, NULL);
    free(answer.body);
    take_refusal(ctl, NULL, answer.status, json);
    json_decref(json);
    return CTL_STREAM_NONE;
}

json_t *ctl_ask_pages(struct ctl *ctl, const char *path, const char *query)
{
    json_t *items = json_array();
    char after[64] = "";

    for (;;) {
        CLEANUP_FREE char *address = NULL;
        json_t *page = NULL;
        const char *next;
        bool stuck;

        if (items && asprintf(&address, "%s?%slimit=%d%s%s", path, query, PAGE,
                              *after ? "&after=" : "", after) >= 0)
            page = ctl_ask(ctl, NULL, address, NULL);
        else
            ctl_out_of_memory(ctl);
        if (!page)
            break;
        (void) json_array_extend(items, json_object_get(page, "tasks"));
        next = text_get_string(page, "next");
        stuck = next && (strcmp(next, after) == 0 || strlen(next) >= sizeof(after));
        (void) snprintf(after, sizeof(after), "%s", next && !stuck ? next : "");
        json_decref(page);
        if (stuck) {
            ctl_no_answer(ctl, "the socket's list of tasks has no end: is it a socket of Quell?");
            break;
        }
        if (!*after)
            return items;
    }
    json_decref(items);
    return NULL;
}

/* A control character that JSON leaves as it is must not reach a terminal. */
static size_t json_form(const struct ctl *ctl)
{
    return JSON_FORM | (isatty(fileno(ctl->out)) ? JSON_ENSURE_ASCII : 0);
}

void ctl_print_json(struct ctl *ctl, const json_t *json)
{
    (void) json_dumpf(json, ctl->out, JSON_INDENT(2) | json_form(ctl));
    (void) fputc('\n', ctl->out);
}

void ctl_print_json_line(struct ctl *ctl, const json_t *json)
{
    (void) json_dumpf(json, ctl->out, json_form(ctl));
    (void) fputc('\n', ctl->out);
}

void ctl_print_task_line(struct ctl *ctl, const json_t *task)
{
    progress_clear(ctl->progress);
    if (ctl->args->given & ARGS_JSON)
        ctl_print_json_line(ctl, task);
    else
        task_view_print_line(ctl->out, task);
    (void) fflush(ctl->out);
}

const char *ctl_id_text(uint32_t job_id, uint32_t task_id, char ret[CTL_ID_SIZE])
{
    (void) snprintf(ret, CTL_ID_SIZE, "%u.%u", job_id, task_id);
    return ret;
}

enum ctl_exit ctl_exit_status(const struct ctl *ctl)
{
    /* Without an answer it is open what became of the rest: that is the worse news. */
    if (ctl->unanswered)
        return CTL_NO_ANSWER;
    if (ctl->refused)
        return CTL_REFUSED;
    if (ctl->failed)
        return CTL_FAILED;
    return ctl->cancelled ? CTL_CANCELLED : CTL_DONE;
}

/* The flag, else the environment, else the default. */
static const char *choose_socket(const char *flag, const char *variable, const char *otherwise)
{
    const char *value = getenv(variable);

    if (flag)
        return flag;
    return value && *value ? value : otherwise;
}

static int open_client(const struct args *args, struct client **ret, struct err *err)
{
    enum verb_target target = args->verb->target;

    if (target == VERB_AGENT || (target == VERB_EITHER && (args->given & ARGS_AGENT)))
        return client_open(choose_socket(args->agent, "QUELL_AGENT", "/run/quell/quelld.sock"),
                           "quelld", "--agent PATH or $QUELL_AGENT", ret, err);
    return client_open(choose_socket(args->head, "QUELL_HEAD", "/run/quell/head.sock"),
                       "quell-head", "--head PATH or $QUELL_HEAD", ret, err);
}

static int run(const struct args *args)
{
    CLEANUP(client_closep) struct client *client = NULL;
    struct ctl ctl = {.args = args, .out = stdout};
    struct err err = {0};

    if (open_client(args, &client, &err) < 0) {
        ctl_no_answer(&ctl, err.text);
        return ctl_exit_status(&ctl);
    }
    ctl.client = client;
    args->verb->run(&ctl, args);
    return ctl_exit_status(&ctl);
}

static int usage_error(const struct args *args, const char *text)
{
    complain(NULL, NULL, text);
    (void) fprintf(stderr, "Try: quellctl %s%s--help\n", args->verb ? args->verb->name : "",
                   args->verb ? " " : "");
    return CTL_USAGE;
}

/* One that is closed would be the next to be opened, and what is printed would go to the socket. */
static void fill_standard_descriptors(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        (void) close(fd);
}

int ctl_main(int argc, char **argv)
{
    struct err err = {0};
    struct args args;
    int status = CTL_DONE;

    fill_standard_descriptors();
    if (args_parse(argc, argv, &args, &err) < 0)
        status = usage_error(&args, err.text);
    else if (args.what == ARGS_HELP)
        verb_print_help(stdout, args.verb);
    else if (args.what == ARGS_VERSION)
        (void) printf("quellctl %s\n", QUELL_VERSION);
    else
        status = run(&args);
    args_done(&args);

    /* A full disk must not look like an empty list. */
    if ((fflush(stdout) != 0 || ferror(stdout)) && status == CTL_DONE) {
        (void) fprintf(stderr, "quellctl: standard output: %s\n", strerror(errno));
        status = CTL_REFUSED;
    }
    return status;
}
