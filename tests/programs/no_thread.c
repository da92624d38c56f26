/* Preloaded into a program, makes its first thread fail to start, in the process that was loaded and not in those
   forked from it, as where a limit of processes is reached. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pid_t loaded;

__attribute__((constructor)) static void begin(void) {
  const char *program = getenv("NO_THREAD_IN");
  if (program && !strcmp(program, program_invocation_short_name))
    loaded = getpid();
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument) {
  int (*next)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
  if (getpid() == loaded) {
    loaded = 0;
    return EAGAIN;
  }
  *(void **)&next = dlsym(RTLD_NEXT, "pthread_create");
  return next(thread, attributes, start, argument);
}
