#include "shared.h"

static int local(int n) { return n > 5 ? largest<int>({n, 5}) : 0; }

int second(int n) {
  int sum = 0;
  for (int i = 0; i < n && i < 4; ++i)
    sum += local(n + i) + shared_inline(i - 2);
  return sum;
}

int unused_in_second(int n) { return n ? second(n) : 0; }
