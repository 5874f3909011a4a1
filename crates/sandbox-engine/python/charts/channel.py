# The channel: one record at a time, from whichever process of the program shows a figure.

turn = threading.Lock()


def new_turn():
    """In a forked child: a thread that held the lock is not there to give it back."""
    global turn
    turn = threading.Lock()


os.register_at_fork(after_in_child=new_turn)


def send(record):
    """Writes a record whole. Threads take turns by a lock, processes forked from one another by a lock on the pipe.

    Gives up when the program has closed the descriptor, and perhaps given its number to a file of its own. A process
    that is killed in the middle of a record takes what is written after it along.
    """
    rest = memoryview(len(record).to_bytes(4, 'little') + record)
    with turn, contextlib.suppress(OSError):  # Closed at this end or at the other.
        lock_channel(fcntl.LOCK_EX)
        try:
            while rest and is_channel():
                rest = rest[os.write(CHANNEL, rest):]
        finally:
            lock_channel(fcntl.LOCK_UN)


def lock_channel(operation):
    if is_channel():
        with contextlib.suppress(OSError):  # A kernel without locks on pipes: records of several processes may mix.
            fcntl.lockf(CHANNEL, operation)


def is_channel():
    return os.path.samestat(os.fstat(CHANNEL), CHANNEL_IDENTITY)
