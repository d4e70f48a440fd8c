/* Two histories of one epoch: the record is put back to position FORK_AT - 1 once, without a new epoch, and its log goes on from there with other
 * events. Messages, snapshots and answers of the first history may come late, or never.
 *
 * SAFETY  nobody accepts the token that event FORK_AT of the second history revoked later than S after the acknowledgement; and what was in
 *         force once stays in force, whichever history it came from. */

#ifndef S
#define S 1
#endif
#ifndef LAST
#define LAST 3
#endif
#define FORK_AT 2
#define BRANCHES

#include "verifier.pml"

#define FRESH_AFTER_FORK (mutant == 81) /* probe: fresh again, in the second history, with what both of them revoked */
#define FORKS_BY_EVENT  (mutant == 82) /* probe: two events of one position show it */
#define ACCEPTS_BEFORE  (mutant == 83) /* probe: the token is accepted in the first history */

mtype = { EVENT, BEAT };
chan net = [1] of { mtype, byte, bool, byte };   /* what, position, branch of that position, age */
byte head = 0;
bool second = false;                          /* which history the record has */
byte revoked_age = 0;
bool restarted = false, first_held = false;   /* ghost: event FORK_AT of the first history was in force in this life of the verifier */
bool forked_once = false;                     /* of FRESH_AFTER_FORK only */
#define HASH(p) (second && (p) >= FORK_AT)
#define REVOKED (second && head >= FORK_AT)

proctype Clock() {
  mtype m; byte a, b; bool s;
  do
  :: d_step {
       printf("@ tick\n");
       grow_older();
       if :: REVOKED -> OLDER(revoked_age) :: else fi;
       if :: nempty(net) -> net?m,a,s,b; if :: m == BEAT -> OLDER(b) :: else fi; net!m,a,s,b :: empty(net) fi;
       m = 0; a = 0; s = false; b = 0 }
  od
}

proctype Issuer() {
  do
  :: atomic { head < (second -> LAST : FORK_AT) -> head++;
       if :: second && head == FORK_AT -> revoked_age = 0 :: else fi;
       if :: nfull(net) -> net!EVENT,head,HASH(head),0 :: true fi }
  :: d_step { nfull(net) -> net!BEAT,head,HASH(head),0 }
  :: d_step { head > 1 && nfull(net) -> net!EVENT,FORK_AT,HASH(FORK_AT),0 }
  :: d_step { !second && head == FORK_AT -> second = true; head = FORK_AT - 1 }        /* restored, and nobody says so */
  od
}

proctype Record() {
  do
  :: d_step { question == 1 -> question = 2; answer_n = head; answer_b = HASH(head); answer_age = 0 }
  :: d_step { question > 0 -> close_question() }
  :: d_step { nempty(net) -> net?_,_,_,_ }
  od
}

inline receive() {
  if :: m == EVENT -> take_event(1, a, s, b) :: else -> take_broadcast(1, a, s, b) fi;
  m = 0; a = 0; s = false; b = 0
}

/* What the record had in force at position `hp` of a history. */
inline load_history(hp, hs) {
  i = 0;
  do
  :: loads && i < hp -> i++; if :: hs && i >= FORK_AT -> have_other[i] = true :: else -> have[i] = true fi
  :: else -> break
  od;
  i = 0; loads = false; replaces = false
}

inline remember() {
  first_held = first_held || have[FORK_AT];
  forked_once = FRESH_AFTER_FORK && (forked_once || tag == FORKED)
}

proctype Verifier() {
  mtype m; byte a, b; bool s;
  do
  :: d_step { nempty(net) -> net?m,a,s,b; receive(); remember() }
  :: d_step { nempty(net) -> net?<m,a,s,b>; receive(); remember() }
  :: d_step { question == 0 && WANTS_CONFIRM -> ask_record() }
  :: d_step { question == 2 -> take_answer(); remember() }
  :: atomic { WANTS_SNAPSHOT ->
       if
       :: a = 1 :: a = FORK_AT; s = second
       :: second -> a = FORK_AT                                                        /* an old one, of the first history */
       :: head > 0 -> a = head; s = HASH(head)
       fi;
       d_step {
         if :: a <= head || (second && !s) -> take_snapshot(1, a, s); load_history(a, s); remember(); tell() :: else fi;
         a = 0; s = false } }
  :: d_step { WANTS_FILL && head > c -> take_event(1, c + 1, HASH(c + 1), 0); remember() }
  :: d_step { WANTS_FILL && want != SNAPSHOT -> hear_gone() }
#ifndef QUIET
  :: d_step { tag == CONFIRMED && want == NOTHING -> hear_silence() }
#endif
  :: d_step { tag == CONFIRMED -> connect() }
  :: d_step { !restarted -> restarted = true; first_held = false; restart() }
  :: d_step { FRESH && !have_other[FORK_AT] ->
       accept(1, FORK_AT, 1);
       assert(!(REVOKED && revoked_age > S));
       assert(!(ACCEPTS_BEFORE && !second && have[FORK_AT])) }
  :: d_step { first_held && !have[FORK_AT] -> printf("@ never forgotten\n"); assert(false) }
  :: d_step { true ->
       assert(!(FORKS_BY_EVENT && tag == FORKED && have[FORK_AT] && have_other[FORK_AT]));
       assert(!(FRESH_AFTER_FORK && forked_once && FRESH && have[FORK_AT] && have_other[FORK_AT] && c == LAST && branch[c])) }
  od
}

init { atomic { CHOOSE_MUTANT; run Clock(); run Issuer(); run Record(); run Verifier() } }
