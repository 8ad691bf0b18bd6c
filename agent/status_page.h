#pragma once

/* status_page.h - a page of the list of tasks, for the status socket. */
struct agent;
struct http_request;

/* GET /v1/tasks: `limit` tasks at most behind `after`, in order of (job, task, attempt). */
void status_page_answer(struct agent *agent, struct http_request *request);
