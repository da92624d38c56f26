/* The program; its library is instrumented too, so that both append to one file at exit. */
#include <stdio.h>
#include <stdlib.h>

int library_work(int n);

static int same_name(int n) { return n + 1; }

int main(int argc, char **argv) {
  int total = 0;
  for (int i = 1; i < argc; i++)
    total += library_work(same_name(atoi(argv[i])));
  printf("%d\n", total);
  return 0;
}
