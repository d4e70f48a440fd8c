/* The verifier: packages/revocation/src/freshness.ts, input by input, and the part of feed.ts that asks the record. Each world (bus.pml,
 * planes.pml, epochs.pml, histories.pml) includes it and decides what reaches it, when, and what of it is a lie.
 *
 * What stands for what: an event is its position and its branch; a hash is the branch of a position, because two histories of one epoch that
 * part at position FORK_AT have the same hashes before and different ones from there on. Times are kept as ages in ticks, the larger ones all
 * alike (OLDEST), so that there is no last moment: what holds, holds for runs of any length.
 *
 * A world defines before it includes this:
 *   LAST      highest position there is            S        age in ticks up to which knowledge is fresh
 *   FORK_AT   first position of two histories      LAG      ticks by which the verifier's wall clock is behind
 *   BRANCHES, EPOCHS, SLEEPS: defined when the world has them
 *
 * A line that is printed and begins with @ is an input (what the reducer gets), the state after it, or what somebody does in this state; replay.ts
 * reads them. `accept` names the event that would revoke the token; `never` is printed where an assertion fails that is not about a token.
 * A mutant is a mistake that is made when `mutant` has its number: each must be found. */

c_decl { \#include <stdlib.h> }

/* Chosen when the verification starts; in simulations when it is compiled. */
#ifdef MUTANT
byte mutant = MUTANT;
#define CHOOSE_MUTANT skip
#else
byte mutant = 0;
#define CHOOSE_MUTANT c_code { now.mutant = getenv("MUTANT") ? atoi(getenv("MUTANT")) : 0; }
#endif

#define RECEIPT         (mutant == 1)  /* F is the time at which a checkpoint came, not the time at which it was made */
#define NO_COUNT        (mutant == 2)  /* a checkpoint says that the issuer is alive, and not how much there is to know */
#define ANY_MESSAGE     (mutant == 3)  /* any message keeps the verifier fresh, not only a checkpoint that is met */
#define RESTART_FRESH   (mutant == 4)  /* a restart forgets what was revoked and keeps F */
#define GAP_COUNTED     (mutant == 5)  /* an event beyond a gap moves the position as if it were the next one */
#define OLD_REPLACES    (mutant == 6)  /* a snapshot that is older than what is applied replaces it */
#define NO_NONCE        (mutant == 7)  /* after a change of path a broadcast checkpoint counts at once */
#define OLD_ROUND       (mutant == 8)  /* an answer counts although the path has changed since it was asked for */
#define WAITING_KEPT    (mutant == 9)  /* an answer that waits for a gap confirms although the path has changed meanwhile */
#define HEARD_AT_RECEIPT (mutant == 10) /* the age of an answer is counted from its arrival, not from the question */
#define FUTURE_COUNTS   (mutant == 11) /* a checkpoint from the future counts */
#define WALL_ONLY       (mutant == 12) /* age is measured by the wall clock alone */
#define GOES_BACK       (mutant == 13) /* a log that stands below what was seen can be entered */
#define F_SURVIVES      (mutant == 14) /* the new epoch inherits F of the one before */
#define BROADCAST_EPOCH (mutant == 15) /* a new epoch is entered, without a snapshot, at the word of a broadcast */
#define OTHER_EPOCH     (mutant == 16) /* a checkpoint counts by its position, whatever its epoch */
#define NO_HASH         (mutant == 17) /* positions are compared, hashes are not */
#define NO_PREV         (mutant == 18) /* an event is the next one by its number alone */
#define MET_BY_POSITION (mutant == 19) /* hashes of events are compared, that of a checkpoint is not */
#define FORK_REPLACES   (mutant == 20) /* the snapshot after two histories drops what was known of the other one */

#ifndef LAG
#define LAG 0
#define MOST_LAG 0
#endif
#ifndef OLDEST
#define OLDEST (S + 1 + MOST_LAG)
#endif
#define OLDER(age) age = (age < OLDEST -> age + 1 : OLDEST)
#ifdef BRANCHES
#define DIFFERS(p, b) (branch[p] != (b) && !NO_HASH)
#else
#define DIFFERS(p, b) false
#endif

#define EMPTY 0
#define UNCONFIRMED 1
#define CONFIRMED 2
#define FORKED 3
#define NOTHING 0
#define CHECKPOINT 1
#define SNAPSHOT 2

/* FeedState */
byte tag = EMPTY;
byte want = NOTHING;
byte e = 0;                /* epoch followed, 0: none */
byte c = 0;                /* last contiguous position */
byte known = 0;            /* oldest position up to c whose hash is known */
bool ahead[LAST + 1];      /* applied beyond a gap */
byte beyond = 0;           /* positions that are ahead */
bool have[LAST + 1];       /* the revocation set: what the event at this position revokes */
bool marked = false;
byte F_age = 0;            /* of F, by the issuer's clock */
bool waits = false;        /* a checkpoint waits for a gap to be filled */
byte waits_n = 0, waits_age = 0;
bool waits_confirms = false;
#ifdef BRANCHES
bool branch[LAST + 1];     /* of what is applied or ahead at this position */
bool have_other[LAST + 1]; /* the revocation set: what events of the other branch revoke */
bool waits_b = false;
#endif
#ifdef EPOCHS
byte mark_e = 0;           /* ghost: the epoch that the mark is of */
bool left[3];              /* epochs that were replaced here */
bool have_second[LAST + 1]; /* the revocation set: what events of epoch 2 revoke */
#endif
#ifdef SLEEPS
byte mark_heard = 0, waits_heard = 0; /* ticks of the monotonic clock since it was heard */
#endif

/* The one question to the record that is open: none, asked, or answered by a checkpoint that is on its way. */
byte question = 0;
byte asked_n = 0, answer_n = 0, answer_age = 0;
bool asked_now = false;    /* no path has changed since it was asked */
#ifdef BRANCHES
bool answer_b = false;
#endif
#ifdef EPOCHS
byte asked_e = 0, answer_e = 0;
#endif
#ifdef SLEEPS
byte asked_heard = 0;
bool mark_slept = false;   /* ghost: the mark is from before a sleep */
#define ASKED_HEARD asked_heard
#define MONOTONIC_FRESH (mark_heard <= S || WALL_ONLY)
#else
#define ASKED_HEARD 0
#define MONOTONIC_FRESH true
#endif
#ifdef EPOCHS
#define ASKED_E asked_e
#define ANSWER_E answer_e
#define IS_BEHIND(x, p) ((left[x] || ((x) != e && (p) < c)) && !GOES_BACK)
#define WAS_LEFT(x) (left[x] && !GOES_BACK)
#else
#define ASKED_E 1
#define ANSWER_E 1
#define IS_BEHIND(x, p) false
#define WAS_LEFT(x) false
#endif
#ifdef BRANCHES
#define ANSWER_B answer_b
#else
#define ANSWER_B 0
#endif

/* Scratch; zero between two steps, so that it makes no states. */
byte i = 0, m_n = 0, m_age = 0, m_heard = 0;
bool m_b = false, m_c = false, loads = false, replaces = false;

/* freshnessAt() */
#define FRESH (marked && tag != FORKED && F_age <= S + LAG && MONOTONIC_FRESH)

/* nextRequest() */
#define WANTS_SNAPSHOT (tag == EMPTY || tag == FORKED || want == SNAPSHOT)
#define WANTS_FILL (!WANTS_SNAPSHOT && (waits || beyond > 0))
#define WANTS_CONFIRM (!WANTS_SNAPSHOT && !WANTS_FILL && !(tag == CONFIRMED && want == NOTHING))

inline tell() {
  printf("@ state tag=%d epoch=%d n=%d marked=%d age=%d fresh=%d request=%d\n", tag, e, c, marked, F_age, FRESH,
    (WANTS_SNAPSHOT -> 1 : (WANTS_FILL -> 2 : (WANTS_CONFIRM -> 3 : 0))))
}

inline accept(ce, cp, cb) {
  printf("@ accept epoch=%d n=%d branch=%d\n", ce, cp, cb)
}

inline put_in_force(fe, fp, fb) {
#if defined(BRANCHES)
  if :: fb -> have_other[fp] = true :: else -> have[fp] = true fi
#elif defined(EPOCHS)
  if :: fe == 2 -> have_second[fp] = true :: else -> have[fp] = true fi
#else
  have[fp] = true
#endif
}

inline stop_waiting() {
  waits = false; waits_n = 0; waits_age = 0; waits_confirms = false;
#ifdef BRANCHES
  waits_b = false;
#endif
#ifdef SLEEPS
  waits_heard = 0;
#endif
}

inline forget_ahead(upto) {
  i = 0;
  do
  :: i < LAST -> i++;
     if
     :: ahead[i] && i <= upto -> ahead[i] = false; beyond--;
#ifdef BRANCHES
        branch[i] = false
#endif
     :: else
     fi
  :: else -> break
  od;
  i = 0
}

inline forget_known() {
#ifdef BRANCHES
  i = 0;
  do :: i < LAST -> i++; if :: !ahead[i] -> branch[i] = false :: else fi :: else -> break od;
  i = 0
#else
  skip
#endif
}

inline fork() {
  tag = FORKED; want = NOTHING; stop_waiting(); forget_ahead(LAST)
}

/* laterMark() and the rest of meet(): a checkpoint whose position is applied. */
inline meet(mp, mb, mage, mheard, mconfirms) {
  if
  :: mp < known
  :: else ->
     if
     :: DIFFERS(mp, mb) && !MET_BY_POSITION -> fork()
     :: (!DIFFERS(mp, mb) || MET_BY_POSITION) && !mconfirms && tag == UNCONFIRMED && !NO_NONCE
     :: else ->
        if
        :: RECEIPT -> marked = true; F_age = 0
        :: !RECEIPT && marked && F_age <= mage && F_age >= LAG
        :: else -> marked = true; F_age = mage;
#ifdef SLEEPS
           mark_heard = mheard; mark_slept = false
#endif
        fi;
#ifdef EPOCHS
        mark_e = e;
#endif
        tag = CONFIRMED;
        if :: mconfirms && want == CHECKPOINT -> want = NOTHING :: else fi
     fi
  fi
}

/* advance(): counts what has become contiguous, then the checkpoint that waited for it. */
inline advance() {
  do
  :: tag != FORKED && c < LAST && ahead[c + 1] ->
#ifdef BRANCHES
     if
     :: c + 1 > FORK_AT && branch[c + 1] != branch[c] && !NO_PREV && !NO_HASH -> fork()
     :: else -> c++; ahead[c] = false; beyond--
     fi
#else
     c++; ahead[c] = false; beyond--
#endif
  :: else -> break
  od;
  if
  :: tag != FORKED && waits && waits_n <= c ->
#ifdef BRANCHES
     m_b = waits_b;
#endif
#ifdef SLEEPS
     m_heard = waits_heard;
#endif
     m_n = waits_n; m_age = waits_age; m_c = waits_confirms;
     stop_waiting();
     meet(m_n, m_b, m_age, m_heard, m_c);
     m_n = 0; m_age = 0; m_b = false; m_c = false; m_heard = 0
  :: else
  fi
}

/* begin(): the log as a snapshot has it. */
inline enter(ne, np, nb, nforgets) {
#ifdef EPOCHS
  if :: e > 0 && e != ne -> left[e] = true :: else fi;
#endif
  forget_ahead(LAST); forget_known();
  tag = UNCONFIRMED; want = NOTHING; e = ne; c = np; known = np; stop_waiting();
  if :: nforgets && !F_SURVIVES -> marked = false; F_age = 0;
#ifdef SLEEPS
     mark_heard = 0; mark_slept = false
#endif
  :: else
  fi;
#ifdef BRANCHES
  branch[np] = nb
#endif
}

/* The revocation set forgets everything. */
inline clear_set() {
  i = 0;
  do
  :: i < LAST -> i++; have[i] = false;
#ifdef BRANCHES
     have_other[i] = false;
#endif
#ifdef EPOCHS
     have_second[i] = false
#endif
  :: else -> break
  od;
  i = 0
}

inline close_question() {
  question = 0; asked_n = 0; asked_now = false; answer_n = 0; answer_age = 0;
#ifdef BRANCHES
  answer_b = false;
#endif
#ifdef EPOCHS
  asked_e = 0; answer_e = 0;
#endif
#ifdef SLEEPS
  asked_heard = 0;
#endif
}

/* onEvent() */
inline take_event(ve, vp, vb, vage) {
  printf("@ event epoch=%d n=%d branch=%d\n", ve, vp, vb);
  if
  :: ANY_MESSAGE && tag != EMPTY -> marked = true; F_age = vage
  :: else
  fi;
  if
  :: tag == EMPTY
  :: tag != EMPTY && ve != e ->
     if :: !WAS_LEFT(ve) && tag != FORKED && want != SNAPSHOT -> want = CHECKPOINT :: else fi
  :: tag == FORKED && ve == e -> put_in_force(ve, vp, vb)
  :: tag != EMPTY && tag != FORKED && ve == e ->
     if
     :: ((vp <= c && vp >= known) || (vp > c && ahead[vp])) && DIFFERS(vp, vb) -> put_in_force(ve, vp, vb); fork()
     :: (vp <= c || ahead[vp]) && !(((vp <= c && vp >= known) || (vp > c && ahead[vp])) && DIFFERS(vp, vb))
     :: vp > c && !ahead[vp] && GAP_COUNTED -> put_in_force(ve, vp, vb); c = vp; advance()
     :: else -> put_in_force(ve, vp, vb); ahead[vp] = true; beyond++;
#ifdef BRANCHES
        branch[vp] = vb;
#endif
        advance()
     fi
  fi;
  tell()
}

/* onCheckpoint(): `asked` with the position, epoch and age of the question when the record made it on request. */
inline take_checkpoint(ke, kp, kb, kage, kasked, kconfirms, kleast, kheard) {
  if
  :: kage < LAG && !FUTURE_COUNTS
  :: (kage >= LAG || FUTURE_COUNTS) && (tag == EMPTY || tag == FORKED)
  :: (kage >= LAG || FUTURE_COUNTS) && tag != EMPTY && tag != FORKED && ke != e ->
     if
     :: OTHER_EPOCH && kp <= c -> meet(c, kb, kage, kheard, kconfirms);
#ifdef EPOCHS
        mark_e = ke
#endif
     :: !kasked && BROADCAST_EPOCH && !IS_BEHIND(ke, kp) -> enter(ke, kp, kb, true)
     :: !kasked && !BROADCAST_EPOCH && !WAS_LEFT(ke) && want != SNAPSHOT && !(OTHER_EPOCH && kp <= c) -> want = CHECKPOINT
     :: kasked && !IS_BEHIND(ke, kp) && !(OTHER_EPOCH && kp <= c) -> want = SNAPSHOT
     :: else
     fi
  :: else ->
     if
     :: kasked && ASKED_E == ke && kp < kleast
     :: (kp <= c || NO_COUNT) && !(kasked && ASKED_E == ke && kp < kleast) ->
        if :: kp <= c -> meet(kp, kb, kage, kheard, kconfirms) :: else -> meet(c, kb, kage, kheard, kconfirms) fi
     :: kp > c && !NO_COUNT && !(kasked && ASKED_E == ke && kp < kleast) ->
        if
        :: ahead[kp] && DIFFERS(kp, kb) -> fork()
        :: !(ahead[kp] && DIFFERS(kp, kb)) && (!waits || (waits_confirms == kconfirms && waits_age >= kage) || (!waits_confirms && kconfirms)) ->
           waits = true; waits_n = kp; waits_age = kage; waits_confirms = kconfirms;
#ifdef BRANCHES
           waits_b = kb;
#endif
#ifdef SLEEPS
           waits_heard = kheard
#endif
        :: else
        fi
     fi
  fi;
  tell()
}

inline take_broadcast(be, bp, bb, bage) {
  printf("@ checkpoint epoch=%d n=%d branch=%d age=%d\n", be, bp, bb, bage);
  take_checkpoint(be, bp, bb, bage, false, false, 0, 0)
}

/* The answer to the open question arrives. */
inline take_answer() {
  printf("@ answer epoch=%d n=%d branch=%d age=%d\n", ANSWER_E, answer_n, ANSWER_B, answer_age);
  take_checkpoint(ANSWER_E, answer_n, ANSWER_B, answer_age, true, (asked_now || OLD_ROUND), asked_n,
    (HEARD_AT_RECEIPT -> 0 : ASKED_HEARD));
  close_question()
}

inline ask_record() {
  printf("@ ask\n");
  question = 1; asked_n = c; asked_now = true;
#ifdef EPOCHS
  asked_e = e;
#endif
}

/* onSnapshot(), but for the entries: the world puts them into force when `loads`, after clear_set() when `replaces`. */
inline take_snapshot(se, sp, sb) {
  printf("@ snapshot epoch=%d n=%d branch=%d\n", se, sp, sb);
  loads = false; replaces = false;
  if
  :: tag == EMPTY -> enter(se, sp, sb, true); loads = true; replaces = true
  :: tag != EMPTY && IS_BEHIND(se, sp)
  :: tag != EMPTY && !IS_BEHIND(se, sp) && se != e -> enter(se, sp, sb, true); loads = true; replaces = true
  :: tag == FORKED && se == e -> enter(se, sp, sb, false); loads = true; replaces = FORK_REPLACES
  :: else ->
     if
     :: sp <= c && OLD_REPLACES -> loads = true; replaces = true; want = NOTHING
     :: sp <= c && !OLD_REPLACES ->
        if :: sp >= known && DIFFERS(sp, sb) -> fork() :: else -> want = NOTHING fi
     :: sp > c && ahead[sp] && DIFFERS(sp, sb) -> fork()
     :: sp > c && !(ahead[sp] && DIFFERS(sp, sb)) ->
        forget_ahead(sp); forget_known(); c = sp; known = sp; want = NOTHING; loads = true;
#ifdef BRANCHES
        branch[sp] = sb;
#endif
        advance()
     fi
  fi;
  if :: replaces -> clear_set() :: else fi
}

/* The entries of a snapshot of position p, on the first branch. */
inline load_until(lp) {
  i = 0;
  do :: loads && i < lp -> i++; have[i] = true :: else -> break od;
  i = 0; loads = false; replaces = false
}

/* A tick of the issuer's clock and of the verifier's wall clock. */
inline grow_older() {
  if :: marked -> OLDER(F_age) :: else fi;
  if :: waits -> OLDER(waits_age) :: else fi;
  if :: question == 2 -> OLDER(answer_age) :: else fi
}

#ifdef SLEEPS
#define OLDER_HEARD(age) age = (age <= S -> age + 1 : age)
/* A tick of the verifier's monotonic clock. */
inline hear_older() {
  if :: marked -> OLDER_HEARD(mark_heard) :: else fi;
  if :: waits -> OLDER_HEARD(waits_heard) :: else fi;
  if :: question > 0 -> OLDER_HEARD(asked_heard) :: else fi
}
#endif

/* reconnect(): a path was connected, again or another one. */
inline connect() {
  printf("@ connected\n");
  asked_now = false;
  if
  :: tag == UNCONFIRMED || tag == CONFIRMED -> tag = UNCONFIRMED; if :: !WAITING_KEPT -> stop_waiting() :: else fi
  :: else
  fi;
  tell()
}

inline hear_silence() {
  printf("@ silence\n");
  if :: tag != EMPTY && tag != FORKED && want != SNAPSHOT -> want = CHECKPOINT :: else fi;
  tell()
}

/* The record does not serve the events that were asked for. */
inline hear_gone() {
  printf("@ gone\n");
  want = SNAPSHOT;
  tell()
}

/* The process ends and another one begins. */
inline restart() {
  printf("@ restart\n");
  tag = EMPTY; want = NOTHING; e = 0; c = 0; known = 0; stop_waiting(); forget_ahead(LAST); forget_known(); clear_set(); close_question();
#ifdef EPOCHS
  left[1] = false; left[2] = false; mark_e = 0;
#endif
  if :: !RESTART_FRESH -> marked = false; F_age = 0;
#ifdef SLEEPS
     mark_heard = 0; mark_slept = false
#endif
  :: else
  fi;
  tell()
}
