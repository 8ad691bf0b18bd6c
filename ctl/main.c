/* main.c - quellctl: the command line of Quell, for the head's socket and for the agent's. */
#include "ctl/ctl.h"

int main(int argc, char **argv)
{
    return ctl_main(argc, argv);
}
