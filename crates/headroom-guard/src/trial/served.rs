//! Which threads of a database serve the connections of whom the guard stopped, found out by a thread: a
//! database tells what each of its threads does, but not for which process.
//!
//! The other end of a Unix socket is known to the kernel (sock_diag(7)), and a server that gives each client a
//! thread of its own waits in that thread for the client's next request: the descriptor it waits for is the
//! connection. That is read from `/proc/PID/task/TID/syscall`, and for poll(2) from the server's memory, for
//! which the kernel takes a lock that the server may hold for as long as it waits for memory. So nobody waits
//! for this thread, and nothing follows from what it could not find out.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::{io, thread};

use headroom_api::trial::{Held, MOST_HELD, MOST_THREADS, MOST_TOLD, SERVED, SERVED_LEN, Served};
use headroom_core::policy::Class;
use headroom_core::snapshot::{Moment, Process, Snapshot};
use headroom_sys::file::Preallocated;
use headroom_sys::own;
use headroom_sys::proc::Proc;
use headroom_sys::sockets::{UnixSocket, UnixSockets};

use crate::desk::Desk;

/// From one look to the next while it is not known yet of a young stop, and otherwise.
const SOON: Duration = Duration::from_millis(8);
const EVERY: Duration = Duration::from_millis(250);
const YOUNG: Duration = Duration::from_millis(300);
/// Servers that are looked at.
const MOST_SERVERS: usize = 4;
/// Connections of one stopped process, of one server, and threads of that.
const MOST_SOCKETS: usize = 16;
const MOST_CONNECTIONS: usize = 1024;
/// Servers that give each client a thread, by the names of their first threads.
const SERVERS: [&[u8]; 2] = [b"mariadbd", b"mysqld"];
/// What systemd listens on, whose sockets lead to no database.
const SYSTEMD: &[u8] = b"/run/systemd/";

/// Of whom it is to be found out.
#[derive(Debug, Default)]
struct Wish {
    wanted: bool,
    /// When the last look began, and whether it was found out of all.
    began: Moment,
    knows_all: bool,
    stops: Vec<Held>,
    servers: Vec<i32>,
}

/// The thread's other end.
#[derive(Debug)]
pub(super) struct Servants(Arc<Desk<Wish>>);

impl Servants {
    /// Starts the thread, which writes what it finds out into this directory and runs for as long as the
    /// program.
    pub(super) fn start(root: &Path, runtime_dir: &Path) -> io::Result<Self> {
        let proc = Proc::open(root).map_err(|error| io::Error::other(error.to_string()))?;
        let length = u64::try_from(SERVED_LEN).unwrap_or(u64::MAX);
        let file = Preallocated::open(&runtime_dir.join(SERVED), length)
            .map_err(|error| io::Error::other(error.to_string()))?;
        let sockets = UnixSockets::open().map_err(|error| io::Error::other(error.to_string()))?;
        let desk = Arc::new(Desk::new(Wish {
            stops: Vec::with_capacity(MOST_HELD),
            servers: Vec::with_capacity(MOST_SERVERS),
            ..Wish::default()
        }));
        let of_thread = Arc::clone(&desk);
        let run = move || {
            // As whoever asks: it always comes back to wait.
            let _as_it_is_without_the_right = own::run_in_real_time();
            let mut finder = Finder::new(proc, sockets);
            // The kernel loads what answers from the disk, now and not in a storm.
            let _nobody = finder.sockets.find(0);
            loop {
                find_once(&of_thread, &mut finder, &file);
            }
        };
        thread::Builder::new().name("servants".into()).stack_size(256 * 1024).spawn(run)?;
        Ok(Self(desk))
    }

    /// Has it found out of those who are stopped, where that is not known yet or long ago. Never waits for it,
    /// never allocates.
    pub(super) fn find<'h>(&self, stops: impl Iterator<Item = &'h Held>, snapshot: &Snapshot) {
        let Some(mut desk) = self.0.if_free() else { return };
        if desk.wanted {
            return;
        }
        let now = own::now();
        let Wish { stops: known, servers, wanted, began, knows_all } = &mut *desk;
        let (mut count, mut is_new, mut is_young) = (0, false, false);
        for stop in stops.take(MOST_HELD) {
            is_new |= known.get(count) != Some(stop);
            is_young |= now.since(stop.since) < YOUNG;
            known.truncate(if is_new { count } else { known.len() });
            if is_new {
                known.push(*stop);
            }
            count += 1;
        }
        known.truncate(count);
        let every = if is_young && !*knows_all { SOON } else { EVERY };
        if count == 0 || !(is_new || now.since(*began) >= every) {
            return;
        }
        servers.clear();
        let all = snapshot.processes.iter().filter(|p| is_server(p)).map(|p| p.id.pid);
        servers.extend(all.take(MOST_SERVERS));
        *wanted = true;
        self.0.ring();
    }
}

fn is_server(process: &Process) -> bool {
    process.class == Class::Essential
        && !process.ending
        && SERVERS.contains(&process.comm.as_bytes())
}

fn find_once(desk: &Desk<Wish>, finder: &mut Finder, file: &Preallocated) {
    let mut wish = desk.wait_for(|wish| wish.wanted);
    wish.began = own::now();
    finder.stops.clear();
    finder.stops.extend_from_slice(&wish.stops);
    finder.servers.clear();
    finder.servers.extend_from_slice(&wish.servers);
    drop(wish);
    finder.find();
    // Without it the agent goes by what it can see itself.
    let _unsaid = file.write_at(0, &Served::encode(&finder.found));
    let mut wish = desk.at();
    wish.knows_all = finder.found.len() == finder.stops.len();
    wish.wanted = false;
}

/// One connection at its server's end.
#[derive(Clone, Copy, Debug)]
struct Connection {
    server: i32,
    fd: i32,
    inode: u32,
    /// The thread that serves it; 0 while that is not known. It does so until the connection is closed.
    thread: i32,
}

/// What is found out, with room for it.
struct Finder {
    proc: Proc,
    sockets: UnixSockets,
    stops: Vec<Held>,
    servers: Vec<i32>,
    found: Vec<Served>,
    connections: Vec<Connection>,
    before: Vec<Connection>,
    threads: Vec<i32>,
}

impl Finder {
    fn new(proc: Proc, sockets: UnixSockets) -> Self {
        Self {
            proc,
            sockets,
            stops: Vec::with_capacity(MOST_HELD),
            servers: Vec::with_capacity(MOST_SERVERS),
            found: Vec::with_capacity(MOST_TOLD),
            connections: Vec::with_capacity(MOST_CONNECTIONS),
            before: Vec::with_capacity(MOST_CONNECTIONS),
            threads: Vec::with_capacity(MOST_CONNECTIONS),
        }
    }

    /// Finds out of all who are stopped; who is not among [`Self::found`] afterwards, of that one it is not
    /// known.
    fn find(&mut self) {
        self.found.clear();
        self.look_at_servers();
        for at in 0..self.stops.len().min(MOST_TOLD) {
            let stop = self.stops[at];
            if let Some(threads) = self.threads_of(stop.id.pid) {
                self.found.push(Served { id: stop.id, since: stop.since, threads });
            }
        }
    }

    /// The connections of all servers, and the threads that serve them as far as they wait for a request or
    /// did so before.
    fn look_at_servers(&mut self) {
        let Self { proc, servers, connections, before, threads, .. } = self;
        std::mem::swap(connections, before);
        connections.clear();
        for server in servers.iter().copied() {
            // The database tells of its threads by the pids that it sees itself.
            if proc.has_pids_of_here(server) != Ok(true) {
                continue;
            }
            let begin = connections.len();
            let _as_far_as_it_came = proc.each_socket(server, &mut |fd, inode| {
                let known = before.iter().find(|c| c.server == server && c.inode == inode);
                let thread = known.map_or(0, |known| known.thread);
                if connections.len() == MOST_CONNECTIONS {
                    return ControlFlow::Break(());
                }
                connections.push(Connection { server, fd, inode, thread });
                ControlFlow::Continue(())
            });
            threads.clear();
            let _none = proc.each_thread(server, &mut |tid| {
                if threads.len() < MOST_CONNECTIONS {
                    threads.push(tid);
                }
            });
            for tid in threads.iter().copied() {
                let Ok(Some(fd)) = proc.reads_from(server, tid) else { continue };
                let own = &mut connections[begin..];
                let Some(inode) = own.iter().find(|c| c.fd == fd).map(|c| c.inode) else {
                    continue;
                };
                for connection in own {
                    // Whom it served before it serves no more.
                    let thread = if connection.thread == tid { 0 } else { connection.thread };
                    connection.thread = if connection.inode == inode { tid } else { thread };
                }
            }
        }
    }

    /// All threads that serve a process; `None` when a connection may have one that is not known.
    fn threads_of(&mut self, pid: i32) -> Option<[i32; MOST_THREADS]> {
        let Self { proc, sockets, connections, .. } = self;
        let mut own = [0; MOST_SOCKETS];
        let mut count = 0;
        proc.each_socket(pid, &mut |_, inode| {
            if let Some(place) = own.get_mut(count) {
                *place = inode;
            }
            count += 1;
            ControlFlow::Continue(())
        })
        .ok()?;
        let mut threads = [0; MOST_THREADS];
        let mut places = threads.iter_mut();
        for inode in own.get(..count)? {
            // No Unix socket, so one that leads to wherever it does.
            let UnixSocket { is_stream, peer, .. } = sockets.find(*inode).ok()??;
            let Some(peer) = peer.filter(|_| is_stream) else { continue };
            match connections.iter().find(|c| c.inode == peer) {
                Some(Connection { thread: 0, .. }) => return None,
                Some(connection) => *places.next()? = connection.thread,
                None if sockets.find(peer).ok()??.name.starts_with(SYSTEMD) => {}
                None => return None,
            }
        }
        Some(threads)
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd as _;
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::process::{Child, Command};
    use std::sync::mpsc::{Receiver, Sender, channel};

    use headroom_core::snapshot::{Comm, ProcessId};

    use super::*;

    /// A server with a thread for each client: this very process. It tells their pids.
    struct Server {
        dir: tempfile::TempDir,
        listener: UnixListener,
        tell: Sender<i32>,
        told: Receiver<i32>,
    }

    struct Client(Child);

    impl Drop for Client {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    impl Client {
        fn stopped(&self) -> Held {
            let pid = i32::try_from(self.0.id()).unwrap();
            let start_ticks = Proc::open(Path::new("/")).unwrap().stat(pid).unwrap().start_ticks;
            let id = ProcessId { pid, start_ticks };
            Held { connected: true, ..Held::stopped(id, own::now()) }
        }
    }

    impl Server {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let listener = UnixListener::bind(dir.path().join("socket")).unwrap();
            let (tell, told) = channel();
            Self { dir, listener, tell, told }
        }

        /// A process with so many connections, and what serves them.
        fn client(&self, connections: usize) -> (Client, Vec<(i32, UnixStream)>) {
            let connects = "use Socket; for (1..$ARGV[1]) { socket(my $s, AF_UNIX, SOCK_STREAM, 0); \
                            connect($s, sockaddr_un($ARGV[0])) or die; push @s, $s } sleep 1000";
            let path = self.dir.path().join("socket");
            let mut perl = Command::new("perl");
            perl.args(["-e", connects]).arg(path).arg(connections.to_string());
            let client = Client(perl.spawn().unwrap());
            (client, (0..connections).map(|_| self.accept()).collect())
        }

        fn accept(&self) -> (i32, UnixStream) {
            let (stream, _) = self.listener.accept().unwrap();
            let (serving, tell) = (stream.try_clone().unwrap(), self.tell.clone());
            thread::spawn(move || serve(&serving, &tell));
            (self.told.recv().unwrap(), stream)
        }
    }

    /// Waits for requests that never come, as MariaDB does.
    fn serve(stream: &UnixStream, tell: &Sender<i32>) {
        let tid = std::fs::read_link("/proc/thread-self").unwrap();
        let tid = tid.file_name().unwrap().to_str().unwrap().parse().unwrap();
        tell.send(tid).unwrap();
        let _for_ever = std::io::Read::read(&mut &*stream, &mut [0]);
    }

    fn finder() -> Finder {
        Finder::new(Proc::open(Path::new("/")).unwrap(), UnixSockets::open().unwrap())
    }

    /// Finds out again and again until it is what is expected, for as long as a busy machine may need.
    fn find_until(finder: &mut Finder, stops: &[Held], expected: &[Vec<i32>]) {
        finder.stops = stops.to_vec();
        finder.servers = vec![own::own_pid()];
        let of = |served: &Served| {
            let mut threads: Vec<_> = served.threads.into_iter().filter(|t| *t != 0).collect();
            threads.sort_unstable();
            threads
        };
        for _ in 0..3000 {
            finder.find();
            if finder.found.iter().map(of).collect::<Vec<_>>() == expected {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("{:?} instead of {expected:?}", finder.found);
    }

    #[test]
    fn each_client_is_known_by_the_threads_that_serve_it() {
        let server = Server::new();
        let (one, of_one) = server.client(1);
        let (two, of_two) = server.client(2);
        let (none, _) = server.client(0);
        let stops = [one.stopped(), two.stopped(), none.stopped()];
        let tids = |of: &[(i32, UnixStream)]| {
            let mut tids: Vec<_> = of.iter().map(|(tid, _)| *tid).collect();
            tids.sort_unstable();
            tids
        };
        let mut finder = finder();
        find_until(&mut finder, &stops, &[tids(&of_one), tids(&of_two), vec![]]);
        // Nobody reads from it now, but who served it before does so still.
        let served = &of_one[0].1;
        served.shutdown(std::net::Shutdown::Read).unwrap();
        find_until(&mut finder, &stops, &[tids(&of_one), tids(&of_two), vec![]]);
        assert!(served.as_raw_fd() > 2);
    }

    #[test]
    fn where_a_connection_may_lead_anywhere_nothing_is_said() {
        let server = Server::new();
        let (client, of_client) = server.client(1);
        let stop = client.stopped();
        let mut finder = finder();
        find_until(&mut finder, &[stop], &[vec![of_client[0].0]]);
        // The server is no database that is known.
        finder.servers.clear();
        finder.find();
        assert_eq!(finder.found, []);
        let connects = "use Socket; socket(S, AF_INET, SOCK_STREAM, 0); sleep 1000";
        let tcp = Client(Command::new("perl").args(["-e", connects]).spawn().unwrap());
        let mut proc = Proc::open(Path::new("/")).unwrap();
        while proc.has_connection(i32::try_from(tcp.0.id()).unwrap()) != Ok(true) {
            thread::sleep(Duration::from_millis(5));
        }
        finder.stops = vec![tcp.stopped()];
        finder.find();
        assert_eq!(finder.found, []);
    }

    #[test]
    fn what_is_found_out_lies_where_the_agent_looks() {
        let server = Server::new();
        let (client, of_client) = server.client(1);
        let stop = client.stopped();
        let servants = Servants::start(Path::new("/"), server.dir.path()).unwrap();
        let comm = Comm::new(b"mariadbd");
        let id = ProcessId { pid: own::own_pid(), start_ticks: 1 };
        let database = Process { id, comm, class: Class::Essential, ..Process::default() };
        let snapshot = Snapshot { processes: vec![database], ..Snapshot::default() };
        for _ in 0..3000 {
            servants.find([stop].iter(), &snapshot);
            let file = std::fs::read(server.dir.path().join(SERVED)).unwrap();
            if let [served] = Served::all(&file)[..] {
                assert_eq!((served.id, served.since), (stop.id, stop.since));
                assert_eq!(served.threads, [of_client[0].0, 0, 0, 0]);
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("it is never said");
    }
}
