/* Value profiling: calls through pointers (to our functions and to libc's), memory operations of varying size. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int (*operation)(int);

static int twice(int n) { return n * 2; }
static int negate(int n) { return -n; }
int increment(int n) { return n + 1; }

operation operations[] = {twice, negate, increment, abs};

__attribute__((noinline)) int apply(operation op, int n) {
  if (n > 1000)
    return 0;
  return op(n);
}

__attribute__((noinline)) void copy(char *to, const char *from, size_t n) { memcpy(to, from, n); }

__attribute__((noinline)) void fill(char *to, size_t n) {
  if (n)
    memset(to, 'x', n);
}

int never_called(int n) { return apply(twice, n); }

int main(int argc, char **argv) {
  char from[256], to[256];
  int total = 0;
  memset(from, 'a', sizeof from);
  for (int i = 1; i < argc; i++) {
    int n = atoi(argv[i]);
    for (int j = 0; j < n; j++)
      total += apply(operations[(i + j) % 4], n + j);
    copy(to, from, n % 256);
    fill(to, (n * 3) % 256);
  }
  printf("%d %c\n", total, to[0]);
  return 0;
}
