/* Two issuers and two epochs. The record is backed up, goes on, is lost with what was acknowledged since, and is restored: the operator begins epoch
 * 2, whose log stands above every position of epoch 1 and begins with an `all` watermark. The issuer of epoch 1 goes on (a bad failover); what
 * stops it is the fence: it reads the record's epoch in every transaction and for every checkpoint, and refuses when it is not its own.
 *
 * X, issued at position 1 of epoch 1, is revoked by event 2, which the backup may lack. Y, issued in epoch 2, is revoked there.
 *
 * SAFETY  nobody accepts X or Y later than S after its acknowledgement; nobody is fresh in an epoch by what another one confirmed; and
 *         nobody who has followed epoch 2 follows epoch 1 again. */

#ifndef S
#define S 1
#endif
#define LAST 4
#define FORK_AT LAST
#define EPOCHS

#include "verifier.pml"

#define NO_FENCE        (mutant == 41) /* the issuer of the former epoch goes on */
#define FENCED_WRITES   (mutant == 42) /* it refuses to revoke, and goes on to sign checkpoints */
#define NO_ALL          (mutant == 43) /* the new epoch begins without revoking what was issued before it */
#define NOT_ABOVE       (mutant == 44) /* the new epoch goes on at the position of the backup */
#define NO_NEW_EPOCH    (mutant == 45) /* the record is restored, and its log goes on as if nothing had happened */
#define FOLLOWS         (mutant == 81) /* probe: fresh in epoch 1, then fresh in epoch 2 */
#define ACCEPTS_Y       (mutant == 82) /* probe: what is issued in the new epoch is accepted although `all` is in force */
#define LOST_AND_DEAD   (mutant == 83) /* probe: X is revoked, the record has lost it, and X is refused all the same */
#define RESTARTS_IN_SECOND (mutant == 84) /* probe: fresh in epoch 2 after a restart */

#define FIRST2 (NOT_ABOVE -> backup + 1 : 3)  /* position of `all` */
mtype = { EVENT, BEAT };
chan net = [1] of { mtype, byte, byte, byte };   /* what, epoch, position, age */
byte epoch = 1, head = 0;                     /* of the record */
byte old_head = 0;                            /* what the issuer of epoch 1 knows of it: all there is while it is not fenced off */
byte backup = 0;
bool x_revoked = false, y_revoked = false, restarted = false;
byte x_age = 0, y_age = 0;
bool saw_second = false;                      /* ghost: in this life the verifier has followed epoch 2 */
bool was_first = false;                       /* of FOLLOWS only */
#define HAS_ALL (have_second[FIRST2] && !NO_ALL)
#define KNOWS_X (have[2] || (HAS_ALL && 1 < FIRST2))
#define KNOWS_Y have_second[FIRST2 + 1]

proctype Clock() {
  mtype m; byte n, a, b;
  do
  :: d_step {
       printf("@ tick\n");
       grow_older();
       if :: x_revoked -> OLDER(x_age) :: else fi;
       if :: y_revoked -> OLDER(y_age) :: else fi;
       if :: nempty(net) -> net?m,n,a,b; if :: m == BEAT -> OLDER(b) :: else fi; net!m,n,a,b :: empty(net) fi;
       m = 0; n = 0; a = 0; b = 0 }
  od
}

/* The issuer that knows epoch 1, on one replica or many. */
proctype First() {
  do
  :: atomic { old_head < 2 && (epoch == 1 || NO_FENCE) -> old_head++;
       if :: epoch == 1 -> head = old_head :: else fi;
       if :: old_head == 2 -> x_revoked = true; x_age = 0 :: else fi;
       if :: nfull(net) -> net!EVENT,1,old_head,0 :: true fi }
  :: d_step { nfull(net) && (epoch == 1 || NO_FENCE || FENCED_WRITES) -> net!BEAT,1,old_head,0 }
  :: d_step { question == 1 && (epoch == 1 || NO_FENCE || FENCED_WRITES) -> question = 2; answer_e = 1; answer_n = old_head; answer_age = 0 }
  od
}

proctype Operator() {
  atomic { true -> backup = head };
  d_step { true ->
    if
    :: NO_NEW_EPOCH -> head = backup; old_head = backup
    :: else -> epoch = 2; head = FIRST2
    fi }
}

/* The issuer that was started on the restored record. */
proctype Second() {
  do
  :: atomic { epoch == 2 && head == FIRST2 -> head++; y_revoked = true; y_age = 0; if :: nfull(net) -> net!EVENT,2,head,0 :: true fi }
  :: d_step { nfull(net) && epoch == 2 -> net!BEAT,2,head,0 }
  :: d_step { nfull(net) && epoch == 2 -> net!EVENT,2,FIRST2,0 }
  :: d_step { question == 1 && epoch == 2 -> question = 2; answer_e = 2; answer_n = head; answer_age = 0 }
  od
}

proctype Faults() {
  do
  :: d_step { nempty(net) -> net?_,_,_,_ }
  :: d_step { question > 0 -> close_question() }
  od
}

inline receive() {
  if :: m == EVENT -> take_event(n, a, false, b) :: else -> take_broadcast(n, a, false, b) fi;
  m = 0; n = 0; a = 0; b = 0
}

/* What the record has in force: of epoch 1 what the backup has, and the events of epoch 2 on top. */
inline load_epoch(le, lp) {
  if :: loads && le == 2 -> i = FIRST2; do :: i <= lp -> have_second[i] = true; i++ :: else -> break od; i = backup
     :: loads && le == 1 -> i = lp
     :: else -> i = 0
  fi;
  do :: i > 0 -> have[i] = true; i-- :: else -> break od;
  i = 0; loads = false; replaces = false
}

inline remember() {
  saw_second = saw_second || e == 2;
  was_first = FOLLOWS && (was_first || (FRESH && e == 1))
}

proctype Verifier() {
  mtype m; byte n, a, b;
  do
  :: d_step { nempty(net) -> net?m,n,a,b; receive(); remember() }
  :: d_step { nempty(net) -> net?<m,n,a,b>; receive(); remember() }
  :: d_step { question == 0 && WANTS_CONFIRM -> ask_record() }
  :: d_step { question == 2 -> take_answer(); remember() }
  :: atomic { WANTS_SNAPSHOT ->                                                        /* of any age, of either epoch */
       if
       :: n = 1; a = 0 :: n = 1; a = old_head
       :: epoch == 2 -> n = 2; a = FIRST2
       :: epoch == 2 -> n = 2; a = head
       fi;
       d_step { take_snapshot(n, a, false); load_epoch(n, a); remember(); tell(); n = 0; a = 0 } }
  :: d_step { WANTS_FILL && e == epoch && head > c -> take_event(e, c + 1, false, 0); remember() }
  :: d_step { WANTS_FILL && want != SNAPSHOT -> hear_gone() }
#ifndef QUIET
  :: d_step { tag == CONFIRMED && want == NOTHING -> hear_silence() }
#endif
  :: d_step { tag == CONFIRMED -> connect() }
  :: d_step { !restarted -> restarted = true; saw_second = false; restart() }
  :: d_step { FRESH && !KNOWS_X -> accept(1, 2, 0); assert(!(x_revoked && x_age > S)) }
  :: d_step { FRESH && !KNOWS_Y ->
       accept(2, LAST, 0);
       assert(!(y_revoked && y_age > S));
       assert(!(ACCEPTS_Y && e == 2 && have_second[FIRST2])) }
  :: d_step { saw_second && e == 1 -> printf("@ never back\n"); assert(false) }
  :: d_step { FRESH && mark_e != e -> printf("@ never by-another-epoch\n"); assert(false) }
  :: d_step { true ->
       assert(!(FOLLOWS && was_first && FRESH && e == 2));
       assert(!(LOST_AND_DEAD && FRESH && x_revoked && backup < 2 && epoch == 2 && KNOWS_X && !have[2]));
       assert(!(RESTARTS_IN_SECOND && restarted && FRESH && e == 2)) }
  od
}

init { atomic { CHOOSE_MUTANT; run Clock(); run First(); run Operator(); run Second(); run Faults(); run Verifier() } }
