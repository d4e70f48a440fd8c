/* Both planes and wrong clocks. Events and checkpoints come over the broker's bus, always listened to, and over the issuer's own stream, which
 * is opened when the bus fails and closed when the bus brings a fresh checkpoint again (feed-paths.ts); every change of path is a reconnection.
 * Both lose and hold back what they carry. The verifier starts with a wall clock that is behind by any number of ticks, and may be
 * suspended: both of its clocks stand still then, and its paths have to connect again afterwards. An answer of the record that takes
 * longer than LIMIT, by the monotonic clock, is not waited for.
 *
 * SAFETY  nobody accepts the revoked token later than S + min(lag, LIMIT) after the acknowledgement; by what was known before a sleep, nobody
 *         does so once the verifier has been awake for longer than S; and a verifier that is confirmed has a clock that is right to LIMIT.
 *
 * With RECORD_ONLY there is neither bus nor stream, only questions to the record; the wall clock is wrong by anything at any time.
 *
 * SAFETY  nobody accepts the revoked token later than S after the acknowledgement: no clock is trusted. */

#ifndef S
#define S 1
#endif
#ifndef LAST
#define LAST 1            /* events; event 1 revokes the token under test */
#endif
#ifndef LIMIT
#define LIMIT S
#endif
#ifndef MOST_LAG
#define MOST_LAG (LIMIT + 1)
#endif
#ifndef ROOM
#define ROOM 2            /* messages that are under way at once, on both planes */
#endif
#define FORK_AT LAST
#define SLEEPS
#define LAG lag

byte lag = 0;

#include "verifier.pml"

#define RETURNS         (mutant == 81) /* probe: fresh after the bus failed, the stream took over, and the bus came back */
#define FRESH_AFTER_SLEEP (mutant == 82) /* probe: fresh again after a sleep, and knows what was revoked in it */
#define FRESH_AFTER_RESTART (mutant == 83) /* probe: fresh after a start with a wrong clock, once the clock is right */
#define FRESH_UNCONFIRMED (mutant == 84) /* probe: a change of path alone makes nobody stale */

#define BUS 0
#define STREAM 1
mtype = { EVENT, BEAT };
chan bus = [1] of { mtype, byte, byte };
chan stream = [1] of { mtype, byte, byte };
#define HAS_ROOM(net) (nfull(net) && len(bus) + len(stream) < ROOM)
bit path = BUS;
byte head = 0;
byte revoked_age = 0;
bool asleep = false, slept = false, restarted = false;
byte awake = S + 1;                           /* ghost: ticks awake since the last sleep */
byte returned = 0;                            /* of the probe RETURNS only */

inline age_in(net) {
  if
  :: nempty(net) -> net?m,a,b; if :: m == BEAT || ANY_MESSAGE -> OLDER(b) :: else fi; net!m,a,b
  :: empty(net)
  fi;
  m = 0; a = 0; b = 0
}

proctype Clock() {
  mtype m; byte a, b;
  do
  :: d_step {
       printf("@ tick asleep=%d\n", asleep);
       grow_older();
       if
       :: asleep -> lag = (lag < MOST_LAG -> lag + 1 : lag)
       :: else -> hear_older(); awake = (awake <= S -> awake + 1 : awake);
          if :: asked_heard > LIMIT -> close_question() :: else fi
       fi;
       if :: head > 0 -> OLDER(revoked_age) :: else fi;
       age_in(bus); age_in(stream) }
  od
}

proctype Issuer() {
  do
  :: atomic { head < LAST -> head++; revoked_age = 0;
#ifndef RECORD_ONLY
       if :: HAS_ROOM(bus) -> bus!EVENT,head,0 :: true fi;
       if :: HAS_ROOM(stream) && path == STREAM -> stream!EVENT,head,0 :: true fi
#endif
     }
#ifndef RECORD_ONLY
  :: d_step { HAS_ROOM(bus) -> bus!BEAT,head,0 }
  :: d_step { HAS_ROOM(stream) && path == STREAM -> stream!BEAT,head,0 }
  :: d_step { head > 0 && empty(bus) -> bus!EVENT,head,0 }
#endif
  od
}

proctype Record() {
  do
  :: d_step { question == 1 -> question = 2; answer_n = head; answer_age = 0 }
  :: d_step { question > 0 -> close_question() }
  od
}

inline drain(net) {
  do :: nempty(net) -> net?m,a,b :: empty(net) -> break od; m = 0; a = 0; b = 0
}

proctype Faults() {
  mtype m; byte a, b;
  do
#ifdef RECORD_ONLY
  :: d_step { lag < MOST_LAG -> lag++; printf("@ lag %d\n", lag) }
#else
  :: d_step { nempty(bus) -> drain(bus) }
  :: d_step { nempty(stream) -> drain(stream) }
  :: d_step { !asleep && !slept -> asleep = true; slept = true; mark_slept = marked }
#endif
  :: d_step { !asleep && lag > 0 -> lag = 0; printf("@ lag %d\n", lag) }               /* the clock is put right */
  od
}

inline receive(from) {
  if
  :: m == EVENT -> take_event(1, a, false, b)
  :: m == BEAT ->
     take_broadcast(1, a, false, b);
     if
     :: from == BUS && path == STREAM && b >= lag && b <= S + lag ->
        path = BUS; returned = (RETURNS -> 1 : 0); connect()
     :: else
     fi
  fi;
  m = 0; a = 0; b = 0
}

proctype Verifier() {
  mtype m; byte a, b;
  do
  :: d_step { !asleep && nempty(bus) -> bus?m,a,b; receive(BUS) }
  :: d_step { !asleep && nempty(bus) -> bus?<m,a,b>; receive(BUS) }
  :: d_step { !asleep && path == STREAM && nempty(stream) -> stream?m,a,b; receive(STREAM) }
  :: d_step { path == BUS && nempty(stream) -> drain(stream) }                         /* closed, with what was in it */
#ifndef RECORD_ONLY
  :: d_step { !asleep && path == BUS -> path = STREAM; connect() }                     /* the bus is down or silent */
  :: d_step { !asleep && tag == CONFIRMED -> connect() }                               /* whichever path was connected again */
#endif
  :: d_step { !asleep && question == 0 && WANTS_CONFIRM -> ask_record() }
  :: d_step { !asleep && question == 2 -> take_answer() }
  :: atomic { !asleep && WANTS_SNAPSHOT -> if :: a = 0 :: a = head fi; d_step { take_snapshot(1, a, false); load_until(a); tell(); a = 0 } }
  :: d_step { !asleep && WANTS_FILL && head > c -> take_event(1, c + 1, false, 0) }
  :: d_step { !asleep && tag == CONFIRMED && want == NOTHING -> hear_silence() }
  :: d_step { asleep -> asleep = false; awake = 0; printf("@ lag %d\n", lag); connect() }
  :: atomic { !asleep && !restarted -> restarted = true; slept = true; awake = S + 1;
#ifndef RECORD_ONLY
       if :: lag = 0 :: lag = 1 :: lag = MOST_LAG fi;
#endif
       printf("@ lag %d\n", lag);
       d_step { restart() } }
  :: d_step { !asleep && FRESH && !have[1] ->
       accept(1, 1, 0);
#ifdef RECORD_ONLY
       assert(!(head > 0 && revoked_age > S))
#else
       assert(!(head > 0 && !mark_slept && revoked_age > S + (lag < LIMIT -> lag : LIMIT)));
       assert(!(mark_slept && awake > S))
#endif
     }
#ifndef RECORD_ONLY
  :: d_step { !asleep && tag == CONFIRMED && lag > LIMIT -> printf("@ never wrong-clock\n"); assert(false) }
#endif
  :: d_step { !asleep ->
       assert(!(FRESH && FRESH_UNCONFIRMED && tag == UNCONFIRMED));
       assert(!(FRESH && have[1] && revoked_age > S && RETURNS && returned == 1 && tag == CONFIRMED));
       assert(!(FRESH && have[1] && revoked_age > S && FRESH_AFTER_SLEEP && awake <= S));
       assert(!(FRESH && have[1] && revoked_age > S && FRESH_AFTER_RESTART && restarted)) }
  od
}

init { atomic { CHOOSE_MUTANT; run Clock(); run Issuer(); run Record(); run Faults(); run Verifier() } }
