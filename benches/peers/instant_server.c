/* A server that answers every completion at once, for server_rate.py: cc -O2 instant_server.c -o instant_server.
   The text depends on the seed, or on nothing at temperature 0; it prints its port and serves until it is killed.
   With any argument head and body are sent apart, as small servers do that are written in Python or Ruby: the kernel
   then holds the body back until the client's has confirmed the head. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static int apart;
enum { MOST = 1 << 20, FILES = 4096 };
static struct { char *bytes; int length; } waiting[FILES];

/* Answers what is whole in the buffer of a connection; 0 when it is to be closed. */
static int serve(int file) {
    for (;;) {
        char *bytes = waiting[file].bytes;
        int have = waiting[file].length;
        bytes[have] = 0;
        char *end = strstr(bytes, "\r\n\r\n");
        if (!end) return 1;
        char *field = strcasestr(bytes, "\r\ncontent-length:");
        int body = field && field < end ? atoi(field + 17) : 0;
        int whole = (int)(end - bytes) + 4 + body;
        if (have < whole) return 1;
        char answer[1024], text[512];
        if (bytes[0] == 'G') {
            snprintf(text, sizeof text, "{\"data\":[{\"id\":\"words\",\"owned_by\":\"instant\"}]}");
        } else {
            char kept = bytes[whole];
            bytes[whole] = 0;
            char *seed = strstr(end, "\"seed\":"), *cold = strstr(end, "\"temperature\":0.0");
            snprintf(text, sizeof text,
                "{\"choices\":[{\"index\":0,\"text\":\" The dog %ld ran to the old house and sat down.\","
                "\"finish_reason\":\"stop\"}],\"usage\":{\"completion_tokens\":12}}",
                seed && !cold ? atol(seed + 7) : 0L);
            bytes[whole] = kept;
        }
        int length = strlen(text), n = snprintf(answer, sizeof answer,
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s", length, text);
        int first = apart ? n - length : n;
        if (write(file, answer, first) != first) return 0;
        if (apart && write(file, answer + first, length) != length) return 0;
        memmove(bytes, bytes + whole, have - whole);
        waiting[file].length = have - whole;
        if (waiting[file].length == 0) return 1;
    }
}

int main(int count, char **words) {
    apart = count > 1 && words;
    int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1, poll = epoll_create1(0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    if (bind(listener, (struct sockaddr *)&at, size) || listen(listener, 1024)) return 1;
    getsockname(listener, (struct sockaddr *)&at, &size);
    printf("%d\n", ntohs(at.sin_port));
    fflush(stdout);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[64];
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int ready = epoll_wait(poll, events, 64, -1);
        for (int i = 0; i < ready; i++) {
            int file = events[i].data.fd;
            if (file == listener) {
                int fresh = accept(listener, NULL, NULL);
                if (fresh < 0 || fresh >= FILES) { if (fresh >= 0) close(fresh); continue; }
                if (!apart) setsockopt(fresh, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                if (!waiting[fresh].bytes) waiting[fresh].bytes = malloc(MOST + 1);
                waiting[fresh].length = 0;
                event.data.fd = fresh;
                epoll_ctl(poll, EPOLL_CTL_ADD, fresh, &event);
                continue;
            }
            int room = MOST - waiting[file].length;
            int got = room > 0 ? (int)read(file, waiting[file].bytes + waiting[file].length, room) : 0;
            if (got > 0) waiting[file].length += got;
            if (got <= 0 || !serve(file)) close(file);
        }
    }
}
