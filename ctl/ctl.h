#pragma once

/*
 * ctl.h - one run of quellctl: the socket that it asks, what it says, and the exit status that
 * comes of it. Used by the verbs.
 */
#include "ctl/args.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct client_sink;
struct progress;

enum ctl_exit {
    CTL_DONE = 0,
    CTL_REFUSED = 1,
    CTL_USAGE = 2,
    CTL_NO_ANSWER = 3,
    CTL_FAILED = 4,    /* of wait: a task is Failed */
    CTL_CANCELLED = 5, /* of wait: a task is Cancelled, none is Failed */
};

struct ctl {
    const struct args *args; /* borrowed */
    struct client *client;
    FILE *out;
    struct progress *progress; /* cleared before a line is written; NULL: there is none */
    bool refused;              /* what has happened so far; see ctl_exit_status() */
    bool unanswered;
    bool failed;
    bool cancelled;
};

/* Runs the program: parses, asks, prints. Returns the exit status. */
int ctl_main(int argc, char **argv);

/* Asks the socket. @subject ("7.1", or NULL) begins the line on stderr when it is refused. @body:
   NULL for a GET; else what is posted, whose reference is taken. Returns the answer as a new
   reference; or NULL, when the line has been printed and the run's exit status follows from it. */
json_t *ctl_ask(struct ctl *ctl, const char *subject, const char *path_and_query, json_t *body);
/* The same for an answer that may take @wait_ms by itself. */
json_t *ctl_ask_waiting(struct ctl *ctl, const char *subject, const char *path_and_query,
                        uint64_t wait_ms);
/* The same for what may have gone meanwhile: NULL without a word when it is not found. */
json_t *ctl_ask_if_there(struct ctl *ctl, const char *subject, const char *path_and_query);
/* The same for what answers by parts: an answer with "refused" parts is returned whatever its HTTP
   status. */
json_t *ctl_ask_parts(struct ctl *ctl, const char *subject, const char *path_and_query,
                      json_t *body);

enum ctl_stream {
    CTL_STREAM_NONE,   /* refused, or no answer: the line has been printed */
    CTL_STREAM_ENDED,  /* whole, or @sink wanted no more */
    CTL_STREAM_BROKEN, /* @err says how: nothing is printed or noted yet */
};
/* Asks for a reply that goes on; its bytes go to @sink. */
enum ctl_stream ctl_ask_stream(struct ctl *ctl, const char *path_and_query,
                               const struct client_sink *sink, struct err *err);

/* Notes a refusal and prints it: `quellctl: 7.1: error 0x80040209: ...`. */
void ctl_refuse(struct ctl *ctl, const char *subject, const char *code, const char *text);
/* Notes that the socket gave no answer that makes sense. */
void ctl_no_answer(struct ctl *ctl, const char *text);
void ctl_out_of_memory(struct ctl *ctl);
/* A line on stderr that changes no exit status. */
void ctl_remark(struct ctl *ctl, const char *text);
/* All that was printed is out. False when it can't be written, which has then been said. */
bool ctl_flush(struct ctl *ctl);

/* The items of all pages at @path ("/v1/tasks", with @query's "a=b&" behind it or ""), as a new
   array; NULL as above. */
json_t *ctl_ask_pages(struct ctl *ctl, const char *path, const char *query);

/* Prints @json as one document, indented; or on one line. */
void ctl_print_json(struct ctl *ctl, const json_t *json);
void ctl_print_json_line(struct ctl *ctl, const json_t *json);
/* A task on one line, at once: for people, or with --json as its object. */
void ctl_print_task_line(struct ctl *ctl, const json_t *task);

#define CTL_ID_SIZE 24
/* "7.1". Returns @ret. */
const char *ctl_id_text(uint32_t job_id, uint32_t task_id, char ret[CTL_ID_SIZE]);

enum ctl_exit ctl_exit_status(const struct ctl *ctl);
