#include "shared.h"
int library(int n) {
  int sum = 0;
  for (int i = 0; i < n; i++)
    sum += common(i);
  return sum;
}
