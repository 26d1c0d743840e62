/* What a process that lives for ever gives back when it has nothing to do. */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

/* Free memory, and the pages of the program and its constants that nobody else keeps:
 * beginning takes many that serving never needs, and what is needed again is read
 * again. */
void memory_give_back(void);

#endif
