#pragma once

/*
 * events.h - the changes of status on this node, as server-sent events on the status socket.
 *
 * The newest 10,000 are kept, in memory alone. Their numbers rise, over restarts too: they begin
 * with the time of the agent's start. Who asks for what is not there is told so (`event: gap`).
 */
struct agent;
struct events;
struct http_request;
struct task;

struct events *events_new(struct agent *agent); /* NULL: no memory */
/* Ends the streams. Before the status socket is closed. Accepts NULL, returns NULL. */
struct events *events_free(struct events *events);

/* The phase of @task has changed: tells of its status where that is another now. */
void events_note(const struct task *task);

/* GET /v1/events: ends with what there is (follow=0), or stays until the client goes. */
void events_answer(struct events *events, struct http_request *request);
