/* One issuer, whose log is one history; a bus that loses, reorders, repeats and delays what it carries; a record that serves snapshots of any
 * age, missing events as long as it keeps them, and answers; one verifier that may start anew once.
 *
 * SAFETY  nobody accepts the token that event 1 revoked later than S after the acknowledgement. */

#ifndef S
#define S 1
#endif
#ifndef LAST
#define LAST 2            /* events; event 1 revokes the token under test */
#endif
#ifndef ROOM
#define ROOM 2            /* messages that are on the bus at once */
#endif
#define FORK_AT LAST

#include "verifier.pml"

#define CLOCK_SECOND    (mutant == 41) /* a checkpoint reads the position first and the clock afterwards */
#define LAGGING_READ    (mutant == 42) /* a checkpoint reads the position from a copy that lags */
#define ACKNOWLEDGED_FIRST (mutant == 43) /* Revoke answers before the event is durable, and the issuer is killed */
#define BROKER_SEQUENCE (mutant == 44) /* verifier: completeness is judged by the broker's own numbers, which begin anew with the stream */
#define EVENTS_COUNTED  (mutant == 45) /* verifier: completeness is judged by how many events came, not by which */
#define ACCEPTS_LATER   (mutant == 81) /* probe: another token is accepted long after event 1 */
#define FRESH_AFTER_RESTART (mutant == 82) /* probe: the verifier is fresh after a restart, and knows what was revoked */
#define FRESH_AFTER_GAP (mutant == 83) /* probe: a checkpoint waited for a gap to be filled, and counts */
#define FRESH_AFTER_COMPACTION (mutant == 84) /* probe: events are not served any more, and the verifier is fresh after a snapshot */

mtype = { EVENT, BEAT };
chan net = [ROOM] of { mtype, byte, byte };   /* what, position, age */
byte head = 0;                                /* last durable position */
bool acknowledged = false;
byte revoked_age = 0;
bool restarted = false;
bool killed = false, wiped = false, was_gone = false, waited = false;   /* of mutants and probes only */
byte sequence = 0, seen = 0;                  /* of BROKER_SEQUENCE and EVENTS_COUNTED only */
#define COUNTS (BROKER_SEQUENCE || EVENTS_COUNTED)

proctype Clock() {
  mtype m; byte a, b;
  do
  :: d_step {
       printf("@ tick\n");
       grow_older();
       if :: acknowledged -> OLDER(revoked_age) :: else fi;
       i = len(net);
       do
       :: i > 0 -> net?m,a,b; if :: m == BEAT || ANY_MESSAGE -> OLDER(b) :: else fi; net!m,a,b; i--
       :: else -> break
       od;
       m = 0; a = 0; b = 0 }
  od
}

inline acknowledge() { acknowledged = true; revoked_age = 0 }

proctype Issuer() {
  do
  :: atomic { head < LAST && !killed ->
       if
       :: ACKNOWLEDGED_FIRST && head == 0 ->
          if :: !acknowledged -> acknowledge() :: else fi; killed = true
       :: true ->
          head++; sequence = (BROKER_SEQUENCE -> sequence + 1 : 0);
          if :: head == 1 -> acknowledge() :: else fi;
          if :: nfull(net) -> net!EVENT,head,0 :: true fi                             /* publishing may fail */
       fi }
  :: atomic { head > 0 && empty(net) -> if :: net!EVENT,head,0 :: net!EVENT,1,0 fi }  /* the sweeper publishes again */
  od
}

/* Checkpoints come from another replica. Any time may pass between its reading of the clock, first, and of the position. */
proctype Replica() {
  byte n = 0, age = 0;
  do
  :: CLOCK_SECOND && nfull(net) -> n = head; atomic { nfull(net) -> net!BEAT,n,0; n = 0 }
  :: atomic { !CLOCK_SECOND && nfull(net) ->
       if :: LAGGING_READ && head > 0 -> n = head - 1 :: n = head fi;
       do :: age < OLDEST -> age++ :: break od;
       net!BEAT,n,age; n = 0; age = 0 }
  od
}

/* The record answers the question that is open: never with less than was durable when it was asked. */
proctype Record() {
  do
  :: d_step { question == 1 -> question = 2; answer_n = head; answer_age = 0 }
  :: d_step { question > 0 -> close_question() }                                      /* question or answer lost */
  od
}

proctype Faults() {
  mtype m; byte a, b;
  do
  :: d_step { nempty(net) -> net?m,a,b; m = 0; a = 0; b = 0 }                          /* loss; of everything when the stream is wiped */
  :: d_step { len(net) > 1 -> net?m,a,b; net!m,a,b; m = 0; a = 0; b = 0 }              /* reordering */
  :: d_step { BROKER_SEQUENCE && !wiped && empty(net) -> wiped = true; sequence = 0 }
  od
}

inline receive() {
  if
  :: COUNTS && m == EVENT && tag != EMPTY -> seen = (seen < LAST -> seen + 1 : LAST); have[a] = true
  :: COUNTS && m == BEAT && tag != EMPTY ->
     if :: seen >= (BROKER_SEQUENCE -> sequence : a) -> tag = CONFIRMED; marked = true; F_age = b :: else fi
  :: m == EVENT && (!COUNTS || tag == EMPTY) -> take_event(1, a, false, b)
  :: m == BEAT && (!COUNTS || tag == EMPTY) -> take_broadcast(1, a, false, b)
  fi;
  waited = FRESH_AFTER_GAP && (waited || waits)
}

proctype Verifier() {
  mtype m; byte a, b;
  do
  :: d_step { nempty(net) -> net?m,a,b; receive(); m = 0; a = 0; b = 0 }
  :: d_step { nempty(net) -> net?<m,a,b>; receive(); m = 0; a = 0; b = 0 }             /* and once more */
  :: d_step { question == 0 && WANTS_CONFIRM -> ask_record() }
  :: d_step { question == 2 -> take_answer() }
  :: atomic { WANTS_SNAPSHOT -> if :: a = 0 :: head > 0 -> a = 1 :: head > 1 -> a = head fi;
       d_step { take_snapshot(1, a, false); load_until(a); tell(); a = 0 } }
  :: d_step { WANTS_FILL && head > c -> take_event(1, c + 1, false, 0) }
  :: d_step { WANTS_FILL && want != SNAPSHOT -> was_gone = FRESH_AFTER_COMPACTION; hear_gone() }
  :: d_step { tag == CONFIRMED && want == NOTHING -> hear_silence() }
  :: d_step { tag == CONFIRMED -> connect() }
  :: d_step { !restarted -> restarted = true; seen = 0; restart() }
  :: d_step { FRESH && !have[1] -> accept(1, 1, 0); assert(!(acknowledged && revoked_age > S)) }
  :: d_step { FRESH && have[1] && revoked_age > S ->
       assert(!(ACCEPTS_LATER && head == LAST && !have[LAST]));
       assert(!(FRESH_AFTER_RESTART && restarted));
       assert(!(FRESH_AFTER_GAP && waited && !waits && c == LAST && F_age == 0));
       assert(!(FRESH_AFTER_COMPACTION && was_gone && c == LAST)) }
  od
}

init { atomic { CHOOSE_MUTANT; run Clock(); run Issuer(); run Replica(); run Record(); run Faults(); run Verifier() } }
