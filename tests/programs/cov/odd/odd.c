/* Tabs, carriage returns, long lines, letters beyond ASCII; no line feed at the end. */
#include <stdlib.h>

int tür(int n) {
	if (n > 2)	/* €€ */ { return n; }
	return n ? 1 :	2;
}


int main(int argc, char **argv) {
	int sum = 0; for (int i = 0; i < argc * 1000; i++) { sum += tür(i % 5); if (i % 7 == 0) { continue; } sum++; }
	return sum == 1 ? 1 : 0;
}