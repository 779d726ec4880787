/* A recorded run: words of page << TRACE_SHIFT | kind, pages numbered from 0 in the order of their
 * first touch. */
#ifndef TESTS_POLICY_TRACE_H
#define TESTS_POLICY_TRACE_H

#define TRACE_SHIFT 1
#define TRACE_KIND  1u

enum { TRACE_TOUCH, TRACE_GONE /* its process ended: nobody asks for it again */ };

#endif
