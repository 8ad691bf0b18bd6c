#include "ctl/client.h"

#include "base/clock.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECT_TIMEOUT_MS 5000L
#define ANSWER_MAX         (64u << 20)

struct client {
    CURL *curl;
    struct curl_slist *headers;
    const char *socket_path; /* borrowed here and below */
    const char *program;
    const char *option;
    char curl_text[CURL_ERROR_SIZE];
};

int client_open(const char *socket_path, const char *program, const char *option,
                struct client **ret, struct err *err)
{
    CLEANUP(client_closep) struct client *client = NULL;
    size_t path_max = sizeof(((struct sockaddr_un *) NULL)->sun_path) - 1;

    if (strlen(socket_path) > path_max)
        return err_set(err, -ENAMETOOLONG,
                       "no answer from %s: the path has %zu bytes, and a socket's has at most %zu",
                       socket_path, strlen(socket_path), path_max);
    client = calloc(1, sizeof(*client));
    if (!client || curl_global_init(CURL_GLOBAL_NOTHING) != CURLE_OK)
        return err_set(err, -ENOMEM, "libcurl can't be used: out of memory");
    client->socket_path = socket_path;
    client->program = program;
    client->option = option;
    client->curl = curl_easy_init();
    client->headers = curl_slist_append(NULL, "Content-Type: application/json");
    if (!client->curl || !client->headers)
        return err_set(err, -ENOMEM, "libcurl can't be used: out of memory");
    *ret = TAKE_PTR(client);
    return 0;
}

/* Appends to the answer's body. Returns less than it was given when that can't be, as curl wants
 * it. */
static size_t on_bytes(char *bytes, size_t size, size_t count, void *arg)
{
    struct client_answer *answer = arg;
    size_t len = size * count;
    char *grown;

    if (len > ANSWER_MAX - answer->body_len)
        return 0;
    grown = realloc(answer->body, answer->body_len + len + 1);
    if (!grown)
        return 0;
    memcpy(grown + answer->body_len, bytes, len);
    answer->body = grown;
    answer->body_len += len;
    grown[answer->body_len] = '\0';
    return len;
}

static void set_options(struct client *client, const char *url)
{
    CURL *curl = client->curl;

    client->curl_text[0] = '\0';
    curl_easy_reset(curl); /* keeps the connection */
    (void) curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, client->socket_path);
    (void) curl_easy_setopt(curl, CURLOPT_URL, url);
    (void) curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* whatever http_proxy says */
    (void) curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    (void) curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void) curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    (void) curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, client->curl_text);
}

static void set_body(struct client *client, const char *body)
{
    CURL *curl = client->curl;

    (void) curl_easy_setopt(curl, CURLOPT_POST, 1L);
    (void) curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) strlen(body));
    (void) curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    (void) curl_easy_setopt(curl, CURLOPT_HTTPHEADER, client->headers);
}

static int make_url(const char *path_and_query, char **ret, struct err *err)
{
    if (asprintf(ret, "http://localhost%s", path_and_query) >= 0)
        return 0;
    *ret = NULL;
    return err_set(err, -ENOMEM, "out of memory");
}

/* The sentence for a request without an answer: where, why, and what to look at. */
static int no_answer(struct client *client, CURLcode code, uint64_t timeout_ms, struct err *err)
{
    const char *path = client->socket_path;
    long os_errno = 0;

    (void) curl_easy_getinfo(client->curl, CURLINFO_OS_ERRNO, &os_errno);
    if (code == CURLE_COULDNT_CONNECT && (os_errno == ENOENT || os_errno == ENOTDIR))
        return err_set(err, -ENOENT, "no answer from %s: %s. Is %s running? %s names its socket.",
                       path, strerror((int) os_errno), client->program, client->option);
    if (code == CURLE_COULDNT_CONNECT && os_errno == EACCES)
        return err_set(err, -EACCES,
                       "no answer from %s: %s. User %u may not connect to it: look at the "
                       "permissions of the socket and of its directories.",
                       path, strerror((int) os_errno), (unsigned) geteuid());
    if (code == CURLE_COULDNT_CONNECT && os_errno == ECONNREFUSED)
        return err_set(err, -ECONNREFUSED,
                       "no answer from %s: %s. Nobody serves this socket: is %s running?", path,
                       strerror((int) os_errno), client->program);
    if (code == CURLE_OPERATION_TIMEDOUT)
        return err_set(
            err, -ETIMEDOUT, "no answer from %s: %s within %llu s. Is %s stopped, or overloaded?",
            path, strerror(ETIMEDOUT), (unsigned long long) timeout_ms / 1000, client->program);
    if (code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR ||
        code == CURLE_PARTIAL_FILE)
        return err_set(err, -ECONNRESET,
                       "no answer from %s: the connection was closed before the answer (%s). Was "
                       "%s stopped?",
                       path, os_errno ? strerror((int) os_errno) : client->curl_text,
                       client->program);
    if (code == CURLE_WRITE_ERROR)
        return err_set(err, -EMSGSIZE, "no answer from %s: what it sends is larger than %u MiB",
                       path, ANSWER_MAX >> 20);
    return err_set(err, -EIO, "no answer from %s: %s. Is %s running there?", path,
                   client->curl_text[0] ? client->curl_text : curl_easy_strerror(code),
                   client->program);
}

int client_request(struct client *client, const char *path_and_query, const char *body,
                   uint64_t timeout_ms, struct client_answer *ret, struct err *err)
{
    CLEANUP_FREE char *url = NULL;
    CURLcode code;

    *ret = (struct client_answer){0};
    if (make_url(path_and_query, &url, err) < 0)
        return err->code;
    set_options(client, url);
    (void) curl_easy_setopt(client->curl, CURLOPT_TIMEOUT_MS, (long) timeout_ms);
    (void) curl_easy_setopt(client->curl, CURLOPT_WRITEFUNCTION, on_bytes);
    (void) curl_easy_setopt(client->curl, CURLOPT_WRITEDATA, ret);
    if (body)
        set_body(client, body);
    code = curl_easy_perform(client->curl);
    if (code != CURLE_OK) {
        free(TAKE_PTR(ret->body));
        return no_answer(client, code, timeout_ms, err);
    }
    (void) curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &ret->status);
    return 0;
}

struct stream {
    CURL *curl;
    const struct client_sink *sink;
    struct client_answer *answer;
    uint64_t heard_us; /* when the last bytes came; monotonic */
    bool stopped;      /* the sink wants no more */
};

static size_t on_stream_bytes(char *bytes, size_t size, size_t count, void *arg)
{
    struct stream *stream = arg;
    size_t len = size * count;

    stream->heard_us = clock_mono_us();
    (void) curl_easy_getinfo(stream->curl, CURLINFO_RESPONSE_CODE, &stream->answer->status);
    if (stream->answer->status / 100 != 2)
        return on_bytes(bytes, size, count, stream->answer);
    stream->stopped = !stream->sink->on_bytes(stream->sink->arg, bytes, len);
    return stream->stopped ? 0 : len;
}

/* What curl_easy_perform() would do, but with an end to silence instead of to the whole. */
static CURLcode perform(CURLM *multi, struct stream *stream)
{
    const uint64_t silence_us = stream->sink->silence_ms * 1000;
    const CURLMsg *message;
    int count = 1;

    stream->heard_us = clock_mono_us();
    while (curl_multi_perform(multi, &count) == CURLM_OK && count > 0) {
        uint64_t silent_us = clock_mono_us() - stream->heard_us;

        if (silent_us >= silence_us)
            return CURLE_OPERATION_TIMEDOUT;
        if (curl_multi_poll(multi, NULL, 0, (int) ((silence_us - silent_us) / 1000 + 1), NULL) !=
            CURLM_OK)
            return CURLE_OUT_OF_MEMORY;
    }
    message = curl_multi_info_read(multi, &count);
    return message ? message->data.result : CURLE_OUT_OF_MEMORY;
}

/* The sentence for a reply that began and did not end. */
static int broke_off(const struct client *client, CURLcode code, uint64_t silence_ms,
                     struct err *err)
{
    if (code == CURLE_OPERATION_TIMEDOUT)
        return err_set(err, -ETIMEDOUT, "%s: the connection is dead: nothing came for %llu s",
                       client->socket_path, (unsigned long long) silence_ms / 1000);
    return err_set(err, -ECONNRESET, "%s: the connection broke off (%s)", client->socket_path,
                   client->curl_text[0] ? client->curl_text : curl_easy_strerror(code));
}

int client_stream(struct client *client, const char *path_and_query, const struct client_sink *sink,
                  struct client_answer *ret, struct err *err)
{
    struct stream stream = {.curl = client->curl, .sink = sink, .answer = ret};
    CLEANUP_FREE char *url = NULL;
    CURLM *multi = curl_multi_init();
    CURLcode code = CURLE_OUT_OF_MEMORY;

    *ret = (struct client_answer){0};
    if (make_url(path_and_query, &url, err) < 0) {
        (void) curl_multi_cleanup(multi);
        return err->code;
    }
    set_options(client, url);
    (void) curl_easy_setopt(client->curl, CURLOPT_WRITEFUNCTION, on_stream_bytes);
    (void) curl_easy_setopt(client->curl, CURLOPT_WRITEDATA, &stream);
    if (multi && curl_multi_add_handle(multi, client->curl) == CURLM_OK) {
        code = perform(multi, &stream);
        (void) curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &ret->status);
        (void) curl_multi_remove_handle(multi, client->curl);
    }
    (void) curl_multi_cleanup(multi);
    if (code == CURLE_OK || stream.stopped)
        return 0;
    free(TAKE_PTR(ret->body));
    return ret->status == 0 ? no_answer(client, code, sink->silence_ms, err)
                            : broke_off(client, code, sink->silence_ms, err);
}

struct client *client_close(struct client *client)
{
    if (!client)
        return NULL;
    curl_slist_free_all(client->headers);
    if (client->curl)
        curl_easy_cleanup(client->curl);
    curl_global_cleanup();
    free(client);
    return NULL;
}
