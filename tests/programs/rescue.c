// A program that counts its steps and then ends as its first argument says. Tests compile it with
// clang, with coverage. Each way of ending says in its comment how many steps there are.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;
static char **args;

__attribute__((noinline)) void step(void) {}

static void rest(int milliseconds) {
  struct timespec left = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
  // A stop must not show: no error, and no shorter rest.
  if (nanosleep(&left, NULL) != 0) _exit(99);
}

static void ready(void) {
  if (write(1, "ready\n", 6) != 6) _exit(98);
}

static void *exit_in_thread(void *code) { step(); exit((int)(long)code); }
static void *one_step(void *unused) { step(); return unused; }
static void *outlive(void *unused) { (void)unused; rest(100); step(); _exit(0); }
static void *exec_in_thread(void *unused) {
  (void)unused;
  step();
  execl("/proc/self/exe", args[0], "return", (char *)NULL);
  _exit(97);
}
static void *spin(void *unused) { for (;;) pause(); return unused; }
static void leave_early(void) { step(); _exit(4); }

static pthread_t start(void *(*run)(void *), long argument) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, run, (void *)argument) != 0) _exit(96);
  return thread;
}

__attribute__((noinline)) static int deep(int depth) {
  volatile char room[4096];
  room[depth % 4096] = (char)depth;
  return depth < 0 ? 0 : deep(depth + 1) + room[0];
}

static int wait_for(pid_t child) {
  int status;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) _exit(95);
  return status;
}

static int is(const char *how) { return strcmp(args[1], how) == 0; }

int main(int count, char **given) {
  if (count < 2) return 94;
  args = given;
  step();
  // 1 step
  if (is("return")) return 0;
  if (is("exit")) exit(7);
  if (is("_exit")) _exit(5);
  if (is("abort")) abort();
  if (is("quick")) quick_exit(0);
  if (is("segv")) *(volatile int *)8 = 1;
  if (is("overflow")) return deep(1);
  if (is("raise")) { raise(atoi(args[2])); for (;;) pause(); }
  if (is("ready")) { ready(); for (;;) pause(); }
  if (is("deaf")) { signal(SIGTERM, SIG_IGN); ready(); for (;;) pause(); }
  if (is("exec-true")) { execl("/bin/true", "true", (char *)NULL); return 93; }
  // 2 steps
  if (is("rest")) { ready(); rest(300); step(); return 0; }
  if (is("stop-self")) { ready(); raise(SIGSTOP); step(); return 0; }
  if (is("exit-in-thread")) { start(exit_in_thread, 3); for (;;) pause(); }
  if (is("leave-early")) { atexit(leave_early); return 0; }
  if (is("exec-fails")) { execl("/nowhere/to/be/found", "x", (char *)NULL); step(); _exit(0); }
  if (is("main-first")) { start(outlive, 0); pthread_exit(NULL); }
  if (is("exec-self")) { execl("/proc/self/exe", args[0], "return", (char *)NULL); return 92; }
  if (is("exec-self-killed")) { execl("/proc/self/exe", args[0], "_exit", (char *)NULL); return 92; }
  if (is("empty-environment")) { char *none[] = {NULL}; char *argv[] = {args[0], "_exit", NULL};
    execve("/proc/self/exe", argv, none); return 92; }
  if (is("close-all")) {
    for (int fd = 0; fd < 1024; fd++) close(fd);
    if (chdir("/") != 0) _exit(91);
    step();
    abort();
  }
  if (is("drop-rights")) {
    start(spin, 0);
    if (setgid(65534) != 0 || setuid(65534) != 0) _exit(90);
    step();
    _exit(0);
  }
  if (is("spawn")) {
    pid_t child;
    char *argv[] = {args[0], "return", NULL};
    if (posix_spawn(&child, "/proc/self/exe", NULL, NULL, argv, environ) != 0) return 89;
    wait_for(child);
    _exit(0);
  }
  // 3 steps
  if (is("exec-in-thread")) { start(spin, 0); start(exec_in_thread, 0); for (;;) pause(); }
  if (is("vfork")) {
    pid_t child = vfork();
    if (child == 0) { step(); _exit(0); }
    wait_for(child);
    step();
    return 0;
  }
  if (is("fork-exec")) {
    pid_t child = fork();
    if (child == 0) { step(); execl("/bin/true", "true", (char *)NULL); _exit(88); }
    wait_for(child);
    step();
    return 0;
  }
  // Both return, one after the other. 4 steps
  if (is("fork")) {
    pid_t child = fork();
    step();
    if (child == 0) { step(); return 0; }
    wait_for(child);
    return 0;
  }
  // Both return at once. 4 steps
  if (is("fork-at-once")) { fork(); step(); step(); step(); return 0; }
  // The child is killed. 4 steps
  if (is("fork-killed")) {
    pid_t child = fork();
    step();
    if (child == 0) { step(); raise(SIGKILL); }
    wait_for(child);
    return 0;
  }
  // The parent is killed first, the child returns. 4 steps
  if (is("fork-orphan")) {
    pid_t child = fork();
    step();
    if (child == 0) { rest(200); step(); return 0; }
    raise(SIGKILL);
  }
  // A daemon that outlives its parents by 300 ms. 5 steps
  if (is("daemon")) {
    if (fork() != 0) return 0;
    step();
    setsid();
    if (fork() != 0) return 0;
    step();
    close(0); close(1); close(2);
    rest(300);
    step();
    step();
    _exit(0);
  }
  // Child and grandchild each run this program again, three times in all. 6 steps
  if (is("generations")) {
    int more = count > 2 ? atoi(args[2]) : 2;
    step();
    if (more == 0) _exit(0);
    char left[12];
    snprintf(left, sizeof left, "%d", more - 1);
    pid_t child = fork();
    if (child == 0) { execl("/proc/self/exe", args[0], "generations", left, (char *)NULL); _exit(87); }
    wait_for(child);
    return 0;
  }
  // A chain of ten forks, each of which waits for the next. 11 steps
  if (is("chain")) {
    for (int depth = 0; depth < 10; depth++) {
      pid_t child = fork();
      if (child != 0) { wait_for(child); return 0; }
      step();
    }
    return 0;
  }
  // Eight children that return at once, and add to one file. 17 steps
  if (is("crowd")) {
    for (int i = 0; i < 8; i++) if (fork() == 0) { step(); step(); return 0; }
    while (wait(NULL) > 0) {}
    return 0;
  }
  // Threads, forks and programs begin and end, until somebody kills them all. Any number of steps
  if (is("storm")) {
    if (count == 2) { fork(); fork(); }
    for (int i = 0;; i++) {
      step();
      pthread_t thread = start(one_step, 0);
      if (i % 3 == 0) pthread_join(thread, NULL); else pthread_detach(thread);
      if (i % 7 == 0) { pid_t child = fork(); if (child == 0) exit(0); wait_for(child); }
      if (i % 11 == 0) {
        pid_t child = vfork();
        if (child == 0) { execl("/bin/true", "true", (char *)NULL); _exit(0); }
        wait_for(child);
      }
      if (i == 30) execl("/proc/self/exe", args[0], "storm", "again", (char *)NULL);
    }
  }
  // As many threads as is said, one after another, and one more step.
  if (is("threads")) {
    for (int i = atoi(args[2]); i > 0; i--) pthread_join(start(one_step, 0), NULL);
    abort();
  }
  // As many calls of `getpid` as is said. 1 step
  if (is("getpid")) { for (int i = atoi(args[2]); i > 0; i--) getppid(); return 0; }
  // A library's `lib_step`, from a library that is opened, or (with no path) there already. 1 step
  if (is("library")) {
    void *library = count > 2 ? dlopen(args[2], RTLD_NOW) : RTLD_DEFAULT;
    if (library == NULL && count > 2) return 86;
    void (*lib_step)(void) = (void (*)(void))dlsym(library, "lib_step");
    if (lib_step == NULL) return 85;
    lib_step(); lib_step(); lib_step();
    abort();
  }
  return 84;
}
