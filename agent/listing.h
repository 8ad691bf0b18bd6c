#pragma once

/*
 * listing.h - answers of the status socket that take long: written piece by piece, in slices, so
 * that the others who ask do not wait for them. All listings take turns.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct event_base;
struct http_request;
struct listings;
struct task;

struct listing {
    const struct task *task; /* ends with it; NULL: with none */
    /* Writes the next piece of the JSON. False: that was the last. */
    bool (*step)(void *arg, FILE *out);
    void (*free)(void *arg);
    void *arg; /* owned */
    /* Of its turn, beyond a slice: a shorter way to the end for this one, a longer one for others.
     */
    uint32_t more_us;
};

struct listings *listings_new(struct event_base *base); /* NULL: no memory */
/* Ends what is still asked, as each must be. Accepts NULL, returns NULL. */
struct listings *listings_free(struct listings *listings);

/* Answers @request with what @listing writes; ends when the client goes. */
void listings_add(struct listings *listings, const struct listing *listing,
                  struct http_request *request);

/* @task is about to be freed: who asks for it is told so. */
void listings_forget(struct listings *listings, const struct task *task);
