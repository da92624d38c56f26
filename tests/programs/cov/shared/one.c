#include "shared.h"
int library(int n);
int main(int argc, char **argv) {
  (void)argv;
  return common(argc) + only_in_one(argc) + library(argc) > 1000;
}
