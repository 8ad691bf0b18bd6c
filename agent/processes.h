#pragma once

/* processes.h - the live processes of a task's group, for the status socket. */
struct http_request;
struct task;

/* Answers, in slices, with the task's object and its "processes": an array, empty when there is
   none, parents mostly before children. */
void processes_answer(struct task *task, struct http_request *request);
