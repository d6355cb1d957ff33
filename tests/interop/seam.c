/* LD_PRELOAD library: /dev/spidevB.C and /dev/gpiochipN of the process under test are sockets of a test bench (seam.py).
 *
 * If $SEAM_ROOT/<path> is a unix SOCK_SEQPACKET socket, opening <path> (below /dev, /sys or /proc) connects to it, and
 * every ioctl, read and write on that descriptor becomes one request and one reply. If it is any other file, that file
 * is opened instead. All device semantics live in the bench; this file only moves memory and descriptors:
 *
 *   request = struct request + payload        reply = struct reply + payload (+ SCM_RIGHTS)
 *
 * A GPIO line request answers with two descriptors: the stream of edge events, which the program reads and polls
 * natively, and a control socket for values and configuration, which only this file knows.
 *
 * If $SEAM_ROOT/clock is a socket too, CLOCK_MONOTONIC, sleep, select and semaphores (Python's locks) run on the bench's
 * virtual time: when the main thread waits, the bench is asked to advance until an edge is queued or the deadline is
 * reached, so FIFO timing does not depend on how busy the machine is. $SEAM_ROOT/now is the clock's mapped page: time in
 * nanoseconds, number of edges sent to the process (both u64). Other threads only see time pass, and wait in real time;
 * before the main thread lets it pass, they have dealt with every edge that was sent.
 *
 * Not covered: dup of a device descriptor, directory listing of /dev, a main thread that spins or waits without limit
 * until another thread acts.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/spi/spidev.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define MAX_FD 1024
#define MAX_MESSAGE 131072
#define FOREVER UINT64_MAX

enum { OP_IOCTL = 1, OP_READ, OP_WRITE, OP_SPI, OP_CLOSE, OP_FLOCK, OP_WAIT };
struct request { uint32_t op, number, length, unused; uint64_t value; };
struct reply { int32_t result, error; uint32_t length, fd_offset; };

/* Per descriptor: the socket that answers for it. A device answers for itself, a line request has a control socket. */
static struct { int open, control; pid_t owner; pthread_mutex_t lock; } device[MAX_FD];
static char root[PATH_MAX];
static size_t root_length;
static volatile uint64_t *now_ns;               /* [1]: edges sent; NULL: real time */
static int in_flight;                           /* requests that the bench has not answered */
static int clock_fd = -1;

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
static int (*real_ioctl)(int, unsigned long, ...);
static int (*real_close)(int);
static int (*real_lstat)(const char *, struct stat *);
static int (*real_clock_gettime)(clockid_t, struct timespec *);
static int (*real_select)(int, fd_set *, fd_set *, fd_set *, struct timeval *);

static void map_clock(void)
{
	char path[PATH_MAX];
	int (*real_open)(const char *, int, ...) = NEXT(open);

	snprintf(path, sizeof path, "%.*s/now", PATH_MAX - 8, root);
	int fd = root_length ? real_open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0) return;
	void *page = mmap(NULL, 2 * sizeof *now_ns, PROT_READ, MAP_SHARED, fd, 0);
	if (page != MAP_FAILED) now_ns = page;
	real_close(fd);
}

__attribute__((constructor)) static void init(void)
{
	if (real_ioctl) return;
	real_close = NEXT(close);
	real_lstat = NEXT(lstat);
	real_clock_gettime = NEXT(clock_gettime);
	real_select = NEXT(select);
	real_ioctl = NEXT(ioctl);
	for (int i = 0; i < MAX_FD; i++) pthread_mutex_init(&device[i].lock, NULL);
	const char *name = getenv("SEAM_ROOT");
	if (!name || strlen(name) >= sizeof root) return;
	strcpy(root, name);
	root_length = strlen(root);
	map_clock();
}

/* --- paths ------------------------------------------------------------------------------------------------------ */

enum kind { ELSEWHERE, PLAIN_FILE, DEVICE };

static enum kind lookup(const char *path, char *out)
{
	struct stat st;
	init();
	if (!root_length || !path) return ELSEWHERE;
	if (strncmp(path, "/dev/", 5) && strncmp(path, "/sys/", 5) && strncmp(path, "/proc/", 6)) return ELSEWHERE;
	if (root_length + strlen(path) >= PATH_MAX) return ELSEWHERE;
	memcpy(out, root, root_length);
	strcpy(out + root_length, path);
	int saved = errno;
	enum kind kind = real_lstat(out, &st) ? ELSEWHERE : S_ISSOCK(st.st_mode) ? DEVICE : PLAIN_FILE;
	errno = saved;
	return kind;
}

static int is_device(int fd) { return fd >= 0 && fd < MAX_FD && device[fd].open; }

static int answers_for_itself(int fd) { return is_device(fd) && device[fd].control == fd; }

static void adopt(int fd, int control)
{
	device[fd].control = control;
	device[fd].owner = getpid();
	device[fd].open = 1;
}

static int attach(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int32_t hello;

	if (strlen(path) >= sizeof address.sun_path) { errno = ENAMETOOLONG; return -1; }
	strcpy(address.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0) return -1;
	if (fd >= MAX_FD || connect(fd, (void *)&address, sizeof address)) { real_close(fd); errno = ENXIO; return -1; }
	if (recv(fd, &hello, sizeof hello, 0) != sizeof hello) hello = ENODEV;
	if (hello) { real_close(fd); errno = hello; return -1; }        /* the bench refuses: EACCES, EBUSY, ... */
	adopt(fd, fd);
	return fd;
}

/* --- one request and its reply ---------------------------------------------------------------------------------- */

/* The reply's payload ends up in `buffer`, descriptors in fds[0..1] (or -1). */
static int call(int fd, struct request *ask, char *buffer, size_t room, struct reply *answer, int fds[2])
{
	union { char bytes[CMSG_SPACE(2 * sizeof(int))]; struct cmsghdr align; } ancillary;
	struct iovec out[2] = { { ask, sizeof *ask }, { buffer, ask->length } };
	struct iovec in[2] = { { answer, sizeof *answer }, { buffer, room } };
	struct msghdr sent = { .msg_iov = out, .msg_iovlen = 2 };
	struct msghdr got = { .msg_iov = in, .msg_iovlen = 2,
	                      .msg_control = ancillary.bytes, .msg_controllen = sizeof ancillary };
	int control = device[fd].control;
	ssize_t n;

	__atomic_add_fetch(&in_flight, 1, __ATOMIC_SEQ_CST);
	pthread_mutex_lock(&device[fd].lock);
	do n = sendmsg(control, &sent, MSG_NOSIGNAL); while (n < 0 && errno == EINTR);
	if (n >= 0) do n = recvmsg(control, &got, MSG_CMSG_CLOEXEC); while (n < 0 && errno == EINTR);
	pthread_mutex_unlock(&device[fd].lock);
	__atomic_sub_fetch(&in_flight, 1, __ATOMIC_SEQ_CST);
	if (n < (ssize_t)sizeof *answer) { errno = ENODEV; return -1; }  /* the bench is gone: device unplugged */
	fds[0] = fds[1] = -1;
	struct cmsghdr *header = CMSG_FIRSTHDR(&got);
	if (header && header->cmsg_type == SCM_RIGHTS && header->cmsg_len == CMSG_LEN(2 * sizeof(int)))
		memcpy(fds, CMSG_DATA(header), 2 * sizeof(int));
	if (answer->result < 0) errno = answer->error;
	return answer->result;
}

static int simple(int fd, uint32_t op, uint64_t value, char *buffer, size_t room, uint32_t length)
{
	struct request ask = { op, 0, length, 0, value };
	struct reply answer;
	int fds[2];
	return call(fd, &ask, buffer, room, &answer, fds);
}

/* SPI_IOC_MESSAGE(n): gather every tx_buf behind the transfer descriptions, scatter the reply into every rx_buf. */
static int spi_message(int fd, unsigned number, struct spi_ioc_transfer *transfer)
{
	unsigned size = _IOC_SIZE(number), count = size / sizeof *transfer, at = size;
	struct request ask = { OP_SPI, number, 0, 0, 0 };
	struct reply answer;
	int fds[2], result = -1;

	if (!count || size % sizeof *transfer) { errno = EINVAL; return -1; }
	char *buffer = malloc(MAX_MESSAGE);
	if (!buffer) return -1;
	memcpy(buffer, transfer, size);
	for (unsigned i = 0; i < count; i++) {
		if (transfer[i].len > MAX_MESSAGE - at) { errno = EMSGSIZE; goto out; }
		if (!transfer[i].tx_buf) continue;
		memcpy(buffer + at, (void *)(uintptr_t)transfer[i].tx_buf, transfer[i].len);
		at += transfer[i].len;
	}
	ask.length = at;
	result = call(fd, &ask, buffer, MAX_MESSAGE, &answer, fds);
	if (result < 0) goto out;
	at = 0;
	for (unsigned i = 0; i < count; i++) {
		if (!transfer[i].rx_buf || at + transfer[i].len > answer.length) continue;
		memcpy((void *)(uintptr_t)transfer[i].rx_buf, buffer + at, transfer[i].len);
		at += transfer[i].len;
	}
out:;
	int saved = errno;
	free(buffer);
	errno = saved;
	return result;
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list arguments;
	va_start(arguments, request);
	void *argument = va_arg(arguments, void *);
	va_end(arguments);
	init();
	if (!is_device(fd)) return real_ioctl(fd, request, argument);

	unsigned number = (unsigned)request, size = _IOC_SIZE(number);
	if (_IOC_TYPE(number) == SPI_IOC_MAGIC && _IOC_NR(number) == 0) return spi_message(fd, number, argument);

	struct request ask = { OP_IOCTL, number, size, 0, (uintptr_t)argument };
	struct reply answer;
	char buffer[1 << _IOC_SIZEBITS];
	int fds[2];
	memcpy(buffer, argument, size);
	int result = call(fd, &ask, buffer, sizeof buffer, &answer, fds);
	if (result < 0) return result;
	if (fds[0] >= 0) {
		if (fds[0] >= MAX_FD || fds[1] >= MAX_FD) { real_close(fds[0]); real_close(fds[1]); errno = EMFILE; return -1; }
		adopt(fds[0], fds[1]);
		memcpy(buffer + answer.fd_offset, &fds[0], sizeof(int));
	}
	if (_IOC_DIR(number) & _IOC_READ) memcpy(argument, buffer, answer.length < size ? answer.length : size);
	return result;
}

ssize_t read(int fd, void *buffer, size_t n)
{
	init();
	if (!answers_for_itself(fd)) return NEXT(read)(fd, buffer, n);   /* a line's events are read natively */
	return simple(fd, OP_READ, n, buffer, n, 0);
}

ssize_t write(int fd, const void *buffer, size_t n)
{
	init();
	if (!answers_for_itself(fd)) return NEXT(write)(fd, buffer, n);
	return simple(fd, OP_WRITE, n, (char *)buffer, 0, n);
}

int flock(int fd, int operation)
{
	init();
	if (!is_device(fd)) return NEXT(flock)(fd, operation);
	return simple(fd, OP_FLOCK, operation, NULL, 0, 0);
}

int close(int fd)
{
	init();
	if (is_device(fd)) {
		int control = device[fd].control, saved = errno;
		/* The kernel releases a line before close returns, so wait until the bench has. A forked child only
		 * drops its copy. */
		if (device[fd].owner == getpid()) simple(fd, OP_CLOSE, 0, NULL, 0, 0);
		errno = saved;
		device[fd].open = 0;
		if (control != fd) real_close(control);
	}
	return real_close(fd);
}

/* --- everything that takes a path --------------------------------------------------------------------------------- */

static int mode_of(int flags, va_list arguments) { return flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, int) : 0; }

#define OPEN(NAME)                                                                                                     \
int NAME(const char *path, int flags, ...)                                                                             \
{                                                                                                                      \
	char other[PATH_MAX];                                                                                          \
	va_list arguments;                                                                                             \
	va_start(arguments, flags);                                                                                    \
	int mode = mode_of(flags, arguments);                                                                          \
	va_end(arguments);                                                                                             \
	enum kind kind = lookup(path, other);                                                                          \
	return kind == DEVICE ? attach(other) : NEXT(NAME)(kind ? other : path, flags, mode);                          \
}
OPEN(open)
OPEN(open64)

#define OPENAT(NAME)                                                                                                   \
int NAME(int directory, const char *path, int flags, ...)                                                              \
{                                                                                                                      \
	char other[PATH_MAX];                                                                                          \
	va_list arguments;                                                                                             \
	va_start(arguments, flags);                                                                                    \
	int mode = mode_of(flags, arguments);                                                                          \
	va_end(arguments);                                                                                             \
	enum kind kind = lookup(path, other);                                                                          \
	return kind == DEVICE ? attach(other) : NEXT(NAME)(directory, kind ? other : path, flags, mode);               \
}
OPENAT(openat)
OPENAT(openat64)

#define FOPEN(NAME)                                                                                                    \
FILE *NAME(const char *path, const char *mode)                                                                         \
{                                                                                                                      \
	char other[PATH_MAX];                                                                                          \
	return NEXT(NAME)(lookup(path, other) == PLAIN_FILE ? other : path, mode);                                     \
}
FOPEN(fopen)
FOPEN(fopen64)

/* The socket must look like the character device it stands for. */
static int look_like_device(const char *path, struct stat *st)
{
	unsigned bus = 0, chip = 0;
	if (sscanf(path, "/dev/spidev%u.%u", &bus, &chip) == 2) st->st_rdev = makedev(153, bus * 2 + chip);
	else if (sscanf(path, "/dev/gpiochip%u", &chip) == 1) st->st_rdev = makedev(254, chip);
	st->st_mode = S_IFCHR | 0660;
	return 0;
}

#define STAT(NAME)                                                                                                     \
int NAME(const char *path, struct stat *st)                                                                            \
{                                                                                                                      \
	char other[PATH_MAX];                                                                                          \
	enum kind kind = lookup(path, other);                                                                          \
	int result = NEXT(NAME)(kind ? other : path, st);                                                              \
	return kind == DEVICE && !result ? look_like_device(path, st) : result;                                        \
}
STAT(stat)
STAT(lstat)
/* manylinux wheels still import the old names */
int stat64(const char *path, struct stat64 *st) { return stat(path, (struct stat *)st); }
int lstat64(const char *path, struct stat64 *st) { return lstat(path, (struct stat *)st); }
int __xstat(int version, const char *path, struct stat *st) { (void)version; return stat(path, st); }
int __lxstat(int version, const char *path, struct stat *st) { (void)version; return lstat(path, st); }
int __xstat64(int version, const char *path, struct stat64 *st) { (void)version; return stat(path, (struct stat *)st); }
int __lxstat64(int version, const char *path, struct stat64 *st) { (void)version; return lstat(path, (struct stat *)st); }

int access(const char *path, int mode)
{
	char other[PATH_MAX];
	return NEXT(access)(lookup(path, other) ? other : path, mode);
}

char *realpath(const char *path, char *out)
{
	char other[PATH_MAX];
	char *(*next)(const char *, char *) = dlvsym(RTLD_NEXT, "realpath", "GLIBC_2.3");
	if (!next) next = NEXT(realpath);
	if (lookup(path, other) == ELSEWHERE) return next(path, out);
	char *result = next(other, out);
	if (result && !strncmp(result, root, root_length))
		memmove(result, result + root_length, strlen(result + root_length) + 1);
	return result;
}

/* --- virtual time --------------------------------------------------------------------------------------------------- */

/* Ask the bench to advance until an edge is queued or the deadline is reached. */
static int advance(uint64_t deadline_ns)
{
	char path[PATH_MAX];
	if (clock_fd < 0) {
		snprintf(path, sizeof path, "%.*s/clock", PATH_MAX - 8, root);
		clock_fd = attach(path);
		if (clock_fd < 0) return -1;
	}
	return simple(clock_fd, OP_WAIT, deadline_ns, NULL, 0, 0);
}

/* The main thread's waiting makes virtual time pass. Other threads (lgpio has one, which polls) only see it pass: their
 * own waits are in real time, so they do not push the clock ahead while the main thread works. */
static int drives_time(void) { return syscall(SYS_gettid) == getpid(); }

static void let_others_finish(void);

int clock_gettime(clockid_t id, struct timespec *ts)
{
	init();
	if (!now_ns || id != CLOCK_MONOTONIC) return real_clock_gettime(id, ts);
	uint64_t now = *now_ns;
	ts->tv_sec = now / 1000000000;
	ts->tv_nsec = now % 1000000000;
	return 0;
}

int clock_nanosleep(clockid_t id, int flags, const struct timespec *duration, struct timespec *left)
{
	init();
	if (!now_ns) return NEXT(clock_nanosleep)(id, flags, duration, left);
	uint64_t deadline = duration->tv_sec * 1000000000ull + duration->tv_nsec;
	if (!drives_time()) return NEXT(clock_nanosleep)(CLOCK_REALTIME, 0, duration, left);
	if (!(flags & TIMER_ABSTIME) || id != CLOCK_MONOTONIC) deadline += *now_ns;
	while (*now_ns < deadline) {
		let_others_finish();
		if (advance(deadline) < 0) return ENODEV;
	}
	return 0;
}

int nanosleep(const struct timespec *duration, struct timespec *left)
{
	init();
	if (!now_ns || !drives_time()) return NEXT(nanosleep)(duration, left);
	return clock_nanosleep(CLOCK_MONOTONIC, 0, duration, left) ? -1 : 0;
}

int select(int n, fd_set *readable, fd_set *writable, fd_set *strange, struct timeval *timeout)
{
	struct timeval zero = { 0, 0 };
	fd_set saved[3], *set[3] = { readable, writable, strange };

	init();
	if (!now_ns || !drives_time())
		return real_select(n, readable, writable, strange, timeout);
	if (timeout && !timeout->tv_sec && !timeout->tv_usec) {  /* a look takes a microsecond: who polls gets on */
		if (advance(*now_ns + 1000) < 0) return -1;
		return real_select(n, readable, writable, strange, timeout);
	}
	uint64_t deadline = timeout ? *now_ns + timeout->tv_sec * 1000000000ull + timeout->tv_usec * 1000ull : FOREVER;
	for (int i = 0; i < 3; i++) if (set[i]) saved[i] = *set[i];
	int ready = real_select(n, readable, writable, strange, &zero);
	if (ready) return ready;
	if (advance(deadline) < 0) return -1;
	for (int i = 0; i < 3; i++) if (set[i]) *set[i] = saved[i];
	zero = (struct timeval){ 0, 0 };
	ready = real_select(n, readable, writable, strange, &zero);
	if (ready || *now_ns >= deadline) return ready;
	errno = EINTR;          /* the bench paused so that signals get their turn; the caller asks again */
	return -1;
}

/* --- virtual time of a main thread that waits for what another thread hands over -------------------------------------- */

#define SLICE_NS 200000
#define CALM_SLICES 8
#define SETTLE_SLICES 25000                     /* 5 s: then something is wrong, but time goes on */
#define UNREAD_SLICES 500                       /* 0.1 s */
#define STEP_NS 1000000

static struct timespec real_in(uint64_t ns)
{
	struct timespec at;
	real_clock_gettime(CLOCK_MONOTONIC, &at);
	ns += at.tv_nsec;
	return (struct timespec){ at.tv_sec + ns / 1000000000, ns % 1000000000 };
}

static uint64_t left_until(const struct timespec *until)
{
	uint64_t at = until->tv_sec * 1000000000ull + until->tv_nsec, now = *now_ns;
	return at > now ? at - now : 0;
}

static int sleeps(const char *task)
{
	char path[64], line[512] = "";
	snprintf(path, sizeof path, "/proc/self/task/%.16s/stat", task);
	FILE *file = NEXT(fopen)(path, "r");
	if (!file) return 1;                    /* it is gone */
	size_t n = fread(line, 1, sizeof line - 1, file);
	fclose(file);
	line[n] = 0;
	char *name_end = strrchr(line, ')');
	return name_end && name_end[1] == ' ' && name_end[2] == 'S';
}

/* No other thread has anything to do: no edge unread, no request under way, all asleep. */
static int quiet(void)
{
	int unread, others = 0, awake = 0;
	DIR *tasks = opendir("/proc/self/task");
	if (!tasks) return 1;
	for (struct dirent *task; (task = readdir(tasks));)
		if (task->d_name[0] != '.' && atol(task->d_name) != syscall(SYS_gettid)) {
			others++;
			awake += !sleeps(task->d_name);
		}
	closedir(tasks);
	if (!others) return 1;
	for (int fd = 0; fd < MAX_FD; fd++)
		if (is_device(fd) && !answers_for_itself(fd) && !real_ioctl(fd, FIONREAD, &unread) && unread) return 0;
	return !awake && !__atomic_load_n(&in_flight, __ATOMIC_SEQ_CST);
}

/* Before a sleep goes on, the others have dealt with the edges so far. If nobody reads them, that is soon given up: in a
 * program without callbacks it is the main thread itself that will. */
static void let_others_finish(void)
{
	static uint64_t finished;
	for (int calm = 0, i = 0; finished != now_ns[1] && i < UNREAD_SLICES; i++) {
		uint64_t sent = now_ns[1];
		struct timespec slice = { 0, SLICE_NS };
		NEXT(clock_nanosleep)(CLOCK_MONOTONIC, 0, &slice, NULL);
		calm = quiet() ? calm + 1 : 0;
		if (calm >= CALM_SLICES) finished = sent;
	}
	finished = now_ns[1];
}

/* lgpio may keep an edge until it is half a millisecond old, and looks every half millisecond: so after an edge virtual
 * time makes a step of one millisecond, and the others get real time to act on it, before it passes freely. */
static int wait_virtually(sem_t *sem, const struct timespec *until)
{
	static uint64_t stepped, settled;       /* numbers of edges for which that was done */
	int (*next)(sem_t *, clockid_t, const struct timespec *) = NEXT(sem_clockwait);
	uint64_t left;

	for (int calm = 0, i = 0; settled != now_ns[1] && i < SETTLE_SLICES; i++) {
		uint64_t sent = now_ns[1];
		struct timespec slice = real_in(SLICE_NS);
		if (!next(sem, CLOCK_MONOTONIC, &slice)) return 0;
		calm = quiet() ? calm + 1 : 0;
		if (calm < CALM_SLICES) continue;
		calm = 0;
		if (stepped == sent) settled = sent;
		else if (!(left = left_until(until))) break;
		else if (advance(*now_ns + (left < STEP_NS ? left : STEP_NS)) < 0) return -1;
		stepped = sent;
	}
	if (!sem_trywait(sem)) return 0;
	left = left_until(until);
	if (!left) { errno = ETIMEDOUT; return -1; }
	if (advance(*now_ns + left) < 0) return -1;
	errno = EINTR;          /* the caller asks again, after signals had their turn */
	return -1;
}

int sem_clockwait(sem_t *sem, clockid_t id, const struct timespec *until)
{
	init();
	if (now_ns && id == CLOCK_MONOTONIC && drives_time()) return wait_virtually(sem, until);
	struct timespec real = now_ns && id == CLOCK_MONOTONIC ? real_in(left_until(until)) : *until;
	return NEXT(sem_clockwait)(sem, id, &real);
}

/* A deadline near virtual time is one on it: threads that wait for Python's GIL would spin on a real clock. */
int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until)
{
	static int (*next)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);

	init();
	if (!next) next = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
	if (!next) next = NEXT(pthread_cond_timedwait);
	uint64_t left = now_ns ? left_until(until) : 0;
	if (!left || left > 3600ull * 1000000000) return next(cond, mutex, until);
	struct timespec real = real_in(left);
	return next(cond, mutex, &real);
}
