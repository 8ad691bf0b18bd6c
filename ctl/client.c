#include "ctl/client.h"

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

static void set_options(struct client *client, const char *url, const char *body,
                        uint64_t timeout_ms, struct client_answer *answer)
{
    CURL *curl = client->curl;

    curl_easy_reset(curl); /* keeps the connection */
    (void) curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, client->socket_path);
    (void) curl_easy_setopt(curl, CURLOPT_URL, url);
    (void) curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* whatever http_proxy says */
    (void) curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    (void) curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void) curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    (void) curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long) timeout_ms);
    (void) curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, client->curl_text);
    (void) curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
    (void) curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    if (body) {
        (void) curl_easy_setopt(curl, CURLOPT_POST, 1L);
        (void) curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) strlen(body));
        (void) curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
        (void) curl_easy_setopt(curl, CURLOPT_HTTPHEADER, client->headers);
    }
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
    client->curl_text[0] = '\0';
    if (asprintf(&url, "http://localhost%s", path_and_query) < 0) {
        url = NULL;
        return err_set(err, -ENOMEM, "out of memory");
    }
    set_options(client, url, body, timeout_ms, ret);
    code = curl_easy_perform(client->curl);
    if (code != CURLE_OK) {
        free(TAKE_PTR(ret->body));
        return no_answer(client, code, timeout_ms, err);
    }
    (void) curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &ret->status);
    return 0;
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
