// A shared library that counts.
void lib_step(void) {}
