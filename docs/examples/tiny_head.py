#!/usr/bin/env python3
"""tiny_head.py URL USER COMMAND [ARG...]

A head in plain Python, written from docs/wire.md alone: it waits for one agent, starts COMMAND there,
cancels it when it runs, prints the proof of its end and acknowledges it. Without a nanomsg binding, it
speaks SP itself (sp-ipc mapping); with one, the class Connection is not needed.
"""
import os, socket, struct, sys

# ---- protobuf: a message is a list of (field number, int or bytes) ----


def varint(n):
    out = b""
    while n > 0x7F:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def pack(*fields):
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            out += varint(number << 3 | 2) + varint(len(value)) + value
    return out


def unpack(data):
    """field number -> list of values"""
    fields, at = {}, 0

    def number():
        nonlocal at
        n = shift = 0
        while True:
            byte = data[at]
            at += 1
            n |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return n

    while at < len(data):
        tag = number()
        if tag & 7 == 0:
            value = number()
        elif tag & 7 == 2:
            size = number()
            value, at = data[at : at + size], at + size
        else:
            raise ValueError("no such type in quell.proto")
        fields.setdefault(tag >> 3, []).append(value)
    return fields


def first(fields, number, default=None):
    return fields.get(number, [default])[-1]


# ---- SP over a Unix socket, the side of REP ----


class Connection:
    def __init__(self, path):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen()
        self.sock, _ = listener.accept()
        self.sock.sendall(b"\0SP\0" + struct.pack(">HH", 0x31, 0))
        assert self.exactly(8)[:6] == b"\0SP\0\0\x30", "the other side is no REQ"

    def exactly(self, size):
        data = b""
        while len(data) < size:
            more = self.sock.recv(size - len(data))
            if not more:
                raise EOFError("the agent has gone")
            data += more
        return data

    def receive(self):
        """(route, body)"""
        kind, size = struct.unpack(">BQ", self.exactly(9))
        assert kind == 1 and size <= 256 * 1024 + 64
        message, end = self.exactly(size), 4
        while not message[end - 4] & 0x80:  # the last word of the route has its top bit set
            end += 4
        return message[:end], message[end:]

    def answer(self, route, body):
        message = route + body
        self.sock.sendall(struct.pack(">BQ", 1, len(message)) + message)


# ---- the head ----

CHALLENGE, HELLO, COMMANDS_WANTED, REPORT = 10, 11, 12, 13  # of a Request
SESSION, HELLO_DONE, COMMANDS, REPORT_ACKED, REFUSED = 10, 11, 12, 13, 14  # of a Reply
HEARTBEAT_MS = 1000


class Head:
    def __init__(self, connection, user, argv):
        self.connection = connection
        self.head_id, self.session, self.counter = os.urandom(16), None, 0
        self.uid = os.urandom(16)
        self.name = pack((1, 1), (2, 1))  # task 1.1
        start = pack(*[(1, arg.encode()) for arg in argv], (3, user.encode()), (11, 64), (12, 1000))
        self.command = pack((1, self.uid), (2, self.name), (3, 1), (4, start))
        self.version, self.recorded = 1, 0
        self.held = None  # the request for commands that waits for its answer
        self.ended = False

    def reply(self, request, number, body):
        route, request_id = request
        reply = pack((1, request_id), (2, self.head_id), (3, 1), (number, body))
        self.connection.answer(route, pack((1, 1), (6, reply)))

    def send_commands(self):
        if self.held and self.recorded < self.version:
            self.reply(self.held, COMMANDS, pack((1, self.command)))
            self.held = None

    def cancel(self):
        cancel = pack((1, b"the tiny head has seen enough"), (2, 200))
        self.version = 2
        self.command = pack((1, self.uid), (2, self.name), (3, 2), (5, cancel))

    def on_report(self, request, report):
        acked = b""
        for attempt in map(unpack, report.get(1, [])):
            if first(attempt, 1) != self.uid:
                continue
            acked += pack((1, pack((1, self.uid), (2, first(attempt, 3)))))
            if 10 in attempt:
                print("started, pid", first(unpack(first(attempt, 10)), 1), flush=True)
                self.cancel()
            if 11 in attempt:
                self.on_ending(unpack(first(attempt, 11)))
        self.reply(request, REPORT_ACKED, acked)

    def on_ending(self, ending):
        proof = unpack(first(ending, 10, b""))
        print("Cancelled" if self.version == 2 else "ended", "method", first(proof, 1),
              "signal", first(ending, 5), "exit code", first(ending, 4),
              "processes at the kill", first(proof, 2), "empty after us", first(proof, 9), flush=True)
        self.ended = True

    def on_message(self, route, message):
        envelope = unpack(message)
        assert first(envelope, 1) == 1 and first(envelope, 3, 0) == 0
        body = unpack(first(envelope, 6))
        request = (route, first(body, 3))
        if CHALLENGE in body:
            self.session, self.counter = os.urandom(16), 0
            random = first(unpack(first(body, CHALLENGE)), 1)
            self.reply(request, SESSION, pack((1, self.session), (2, random)))
            return
        if first(body, 2) != self.session:
            self.reply(request, REFUSED, pack((1, 1), (2, b"begin with a challenge")))
            return
        if first(body, 4, 0) <= self.counter:
            return  # a duplicate
        self.counter = first(body, 4)
        for acked in map(unpack, body.get(5, [])):
            if first(acked, 1) == self.uid:
                self.recorded = max(self.recorded, first(acked, 2))
        if HELLO in body:
            more = 0 if first(unpack(first(body, HELLO)), 10, 0) else 1
            self.reply(request, HELLO_DONE, pack((1, HEARTBEAT_MS), (2, more)))
        elif REPORT in body:
            self.on_report(request, unpack(first(body, REPORT)))
        elif COMMANDS_WANTED in body:
            self.held = request
        self.send_commands()

    def run(self):
        self.connection.sock.settimeout(HEARTBEAT_MS / 2000)
        while True:
            try:
                route, message = self.connection.receive()
            except socket.timeout:
                if self.ended:  # and the agent had time to read that it is acknowledged
                    return
                if self.held:  # half a heartbeat is over: none
                    self.reply(self.held, COMMANDS, b"")
                    self.held = None
                continue
            self.on_message(route, message)


if len(sys.argv) < 4 or not sys.argv[1].startswith("ipc:///"):
    sys.exit(__doc__)
Head(Connection(sys.argv[1][len("ipc://") :]), sys.argv[2], sys.argv[3:]).run()
