#include "shared.h"
int library(int n);
int main(int argc, char **argv) {
  (void)argv;
  return common(argc + 5) + library(argc + 1) > 1000;
}
