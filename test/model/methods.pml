/* What a method may do with what its verifier knows. Fresh: everybody decides locally. Stale: a critical method asks the issuer about the token,
 * and keeps its word for KEEP ticks since the question; a standard one goes on until G. A call waits for the issuer's word for LIMIT ticks.
 *
 * SAFETY  a critical method accepts the revoked token no later than S after the acknowledgement, a standard one no later than G; nobody
 *         accepts it who knows of the revocation, whatever the issuer said before; and nobody accepts anything who knows of no log. */

#ifndef S
#define S 1
#endif
#ifndef G
#define G (S + 1)
#endif
#ifndef KEEP
#define KEEP S
#endif
#ifndef LIMIT
#define LIMIT S
#endif
#define OLDEST (G + 1)
#define LAST 1            /* event 1 revokes the token under test */
#define FORK_AT LAST

#include "verifier.pml"

#define STALE_CRITICAL  (mutant == 41) /* a critical method goes on while stale */
#define G_IGNORED       (mutant == 42) /* a standard method goes on for ever */
#define KEPT_TOO_LONG   (mutant == 43) /* the issuer's word is kept for a tick more than S */
#define KEPT_FROM_ARRIVAL (mutant == 44) /* the issuer's word is kept from its arrival on, not from the question */
#define WAITS_TOO_LONG  (mutant == 45) /* the issuer's word counts however long it took */
#define LAGGING_WORD    (mutant == 46) /* the issuer answers from a copy that lags */
#define KNOWN_FORGOTTEN (mutant == 47) /* a revocation that came while the issuer was asked is not looked at */
#define EMPTY_ACCEPTS   (mutant == 48) /* a standard method goes on when no log is known yet */
#define BY_WORD         (mutant == 81) /* probe: a stale critical method accepts by the issuer's word */
#define TOLERATED       (mutant == 82) /* probe: a stale standard method accepts */
#define CLOSED          (mutant == 83) /* probe: older than G, both refuse */
#define FRESH_AGAIN     (mutant == 84) /* probe: fresh again after all were closed */

mtype = { EVENT, BEAT };
chan net = [1] of { mtype, byte, byte };
byte head = 0, revoked_age = 0;
byte word = 0;                                /* about the token: none, asked, active and on its way, active and kept */
byte word_age = 0;                            /* since it was asked for */
bool restarted = false, was_closed = false;   /* the latter of FRESH_AGAIN only */
#define TOLERATED_NOW (marked && (F_age <= G || G_IGNORED))
#define WORD_HOLDS (word_age <= (KEPT_TOO_LONG -> S + 1 : KEEP))

proctype Clock() {
  mtype m; byte a, b;
  do
  :: d_step {
       printf("@ tick\n");
       grow_older();
       if :: head > 0 -> OLDER(revoked_age) :: else fi;
       if :: word > 0 -> word_age = (word_age <= S + 1 -> word_age + 1 : word_age) :: else fi;
       if
       :: (word == 1 || word == 2) && word_age > LIMIT && !WAITS_TOO_LONG -> word = 0; word_age = 0
       :: word == 3 && !WORD_HOLDS -> word = 0; word_age = 0
       :: else
       fi;
       if :: nempty(net) -> net?m,a,b; if :: m == BEAT -> OLDER(b) :: else fi; net!m,a,b :: empty(net) fi;
       m = 0; a = 0; b = 0 }
  od
}

proctype Issuer() {
  do
  :: atomic { head == 0 -> head = 1; revoked_age = 0; if :: nfull(net) -> net!EVENT,1,0 :: true fi }
  :: d_step { nfull(net) -> net!BEAT,head,0 }
  :: d_step { nfull(net) && head > 0 -> net!EVENT,1,0 }
  :: d_step { question == 1 -> question = 2; answer_n = head; answer_age = 0 }
  :: d_step { word == 1 && (head == 0 || LAGGING_WORD) -> word = 2 }
  :: d_step { word == 1 && head == 1 -> word = 0; word_age = 0 }                        /* not active: nobody is let in by that */
  od
}

proctype Faults() {
  do
  :: d_step { nempty(net) -> net?_,_,_ }
  :: d_step { question > 0 -> close_question() }
  :: d_step { word == 1 || word == 2 -> word = 0; word_age = 0 }
  od
}

inline receive() {
  if :: m == EVENT -> take_event(1, a, false, b) :: else -> take_broadcast(1, a, false, b) fi;
  m = 0; a = 0; b = 0
}

proctype Verifier() {
  mtype m; byte a, b;
  do
  :: d_step { nempty(net) -> net?m,a,b; receive() }
  :: d_step { question == 0 && WANTS_CONFIRM -> ask_record() }
  :: d_step { question == 2 -> take_answer() }
  :: atomic { WANTS_SNAPSHOT -> if :: a = 0 :: a = head fi; d_step { take_snapshot(1, a, false); load_until(a); tell(); a = 0 } }
  :: d_step { WANTS_FILL && head > c -> take_event(1, c + 1, false, 0) }
  :: d_step { tag == CONFIRMED && want == NOTHING -> hear_silence() }
  :: d_step { tag == CONFIRMED -> connect() }
  :: d_step { !restarted -> restarted = true; word = 0; word_age = 0; was_closed = false; restart() }
  od
}

inline critical() {
  printf("@ critical\n");
  assert(!(head > 0 && revoked_age > S))
}

inline standard() {
  printf("@ standard\n");
  assert(!(head > 0 && revoked_age > G));
  assert(!(tag == EMPTY))
}

proctype Methods() {
  do
  :: d_step { (FRESH || (STALE_CRITICAL && TOLERATED_NOW)) && !have[1] -> accept(1, 1, 0); critical() }
  :: d_step { TOLERATED_NOW && !have[1] -> standard(); assert(!(TOLERATED && !FRESH)) }
  :: d_step { EMPTY_ACCEPTS && tag == EMPTY -> standard() }
  :: d_step { marked && !FRESH && !have[1] && word == 0 -> word = 1; word_age = 0 }
  :: d_step { word == 2 ->                                                             /* the word arrives, for all who wait for it */
       if
       :: !have[1] || KNOWN_FORGOTTEN -> critical(); assert(!have[1]); assert(!BY_WORD)
       :: else
       fi;
       word = 3;
       if :: KEPT_FROM_ARRIVAL -> word_age = 0 :: else fi }
  :: d_step { word == 3 && marked && !FRESH && !have[1] && WORD_HOLDS -> critical() }   /* and for those who ask soon after */
  :: d_step { marked && !TOLERATED_NOW -> was_closed = FRESH_AGAIN; assert(!(CLOSED && tag == CONFIRMED)) }
  :: d_step { FRESH -> assert(!(FRESH_AGAIN && was_closed)) }
  od
}

init { atomic { CHOOSE_MUTANT; run Clock(); run Issuer(); run Faults(); run Verifier(); run Methods() } }
