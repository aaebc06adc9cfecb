//! The hostile app: an image of the tests that tries from inside a session whatever could harm
//! others, and reports over HTTP the result of each attempt. The attempts are listed in `TARGETS`,
//! as JSON: files and folders, ports of this machine's loopback, other addresses, and process ids.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use nix::sys::ptrace;
use nix::sys::resource::{Resource, getrlimit};
use nix::unistd::Pid;
use serde::Deserialize;
use serde_json::{Value, json};

/// How long an address may take to answer.
const PATIENCE: Duration = Duration::from_millis(500);

/// What is to be tried.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Targets {
    /// Files to be read and folders to be listed.
    paths: Vec<String>,
    /// Ports of the loopback interface that are others'.
    ports: Vec<u16>,
    /// Addresses with ports.
    addresses: Vec<SocketAddr>,
    /// Processes of others.
    processes: Vec<i32>,
    /// Processes that may be stopped for a moment.
    victims: Vec<i32>,
    /// Texts that must be in no environment and no command line, written backwards: these targets
    /// are in the app's own environment.
    secrets: Vec<String>,
}

/// What came of the attempts.
#[derive(Default)]
struct Report(Vec<Value>);

impl Report {
    /// Notes an attempt: `Ok` says what was got, which is a breach; `Err` how it was refused.
    fn note(&mut self, attempt: impl Into<String>, outcome: Result<String, String>) {
        let (refused, said) = match outcome {
            Ok(got) => (false, got),
            Err(why) => (true, why),
        };
        let attempt: String = attempt.into();
        self.0
            .push(json!({ "attempt": attempt, "refused": refused, "said": said }));
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the hostile app is a program of its own, told by its environment"
)]
fn told(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn main() -> std::io::Result<()> {
    let port = told("PORT")
        .and_then(|text| text.parse().ok())
        .unwrap_or(8080);
    let any = told("LISTEN").unwrap_or_else(|| "127.0.0.1".to_owned());
    let targets: Targets = told("TARGETS")
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    let listener = TcpListener::bind((any.as_str(), port))?;
    let mut report = None;
    for stream in listener.incoming() {
        let mut stream = stream?;
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line)?;
        let body = if line.starts_with("GET /report") {
            report
                .get_or_insert_with(|| Value::from(attempts(&targets, port).0))
                .to_string()
        } else {
            "\"hostile\"".to_owned()
        };
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: \
             {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        let _ = stream.write_all(format!("{head}{body}").as_bytes());
    }
    Ok(())
}

fn attempts(targets: &Targets, port: u16) -> Report {
    let mut report = Report::default();
    environments(&mut report, targets);
    processes(&mut report, targets);
    files(&mut report, targets);
    rights(&mut report);
    network(&mut report, targets, port);
    report
}

/// Its own environment, and that of all other processes.
fn environments(report: &mut Report, targets: &Targets) {
    let suspicious = [
        "CAST_BOOTSTRAP_TOKEN",
        "CAST_REPORT_URL",
        "CAST_GATE_LISTEN",
        "CASTING_",
        "AWS_SECRET",
        "ECS_CONTAINER",
    ];
    let search = |text: &str| {
        let named = suspicious.iter().map(ToString::to_string);
        named
            .chain(
                targets
                    .secrets
                    .iter()
                    .map(|text| text.chars().rev().collect()),
            )
            .find(|secret| text.contains(secret))
    };
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with(|c: char| c.is_ascii_digit()) && name != "self" {
            continue;
        }
        for file in ["environ", "cmdline"] {
            let path = entry.path().join(file);
            let outcome = match fs::read(&path) {
                Ok(bytes) => match search(&String::from_utf8_lossy(&bytes)) {
                    Some(secret) => Ok(format!("it names {secret}")),
                    None => Err("nothing of interest".to_owned()),
                },
                Err(error) => Err(error.to_string()),
            };
            report.note(format!("read /proc/{name}/{file}"), outcome);
        }
    }
}

/// Other processes: seen, traced, read, signalled.
fn processes(report: &mut Report, targets: &Targets) {
    // Tracing stops a process, so only those are tried that may be stopped.
    for id in &targets.victims {
        let victim = Pid::from_raw(*id);
        let traced = ptrace::attach(victim).map(|()| {
            let _ = nix::sys::wait::waitpid(victim, None);
            let _ = ptrace::detach(victim, None);
            "attached".to_owned()
        });
        report.note(
            format!("trace process {id}"),
            traced.map_err(|error| error.to_string()),
        );
    }
    for name in ["mem", "maps", "root", "cwd", "fd"] {
        let path = Path::new("/proc/1").join(name);
        let outcome = match name {
            "fd" | "root" | "cwd" => fs::read_dir(&path).map(|_| ()),
            _ => File::open(&path).and_then(|mut file| file.read(&mut [0; 64]).map(|_| ())),
        };
        report.note(
            format!("open /proc/1/{name}"),
            outcome
                .map(|()| "open".to_owned())
                .map_err(|error| error.to_string()),
        );
    }
    for id in &targets.processes {
        let seen = Path::new("/proc").join(id.to_string()).join("cmdline");
        report.note(
            format!("see process {id}"),
            fs::read(seen)
                .map(|line| String::from_utf8_lossy(&line).into_owned())
                .map_err(|error| error.to_string()),
        );
        report.note(
            format!("signal process {id}"),
            nix::sys::signal::kill(Pid::from_raw(*id), None)
                .map(|()| "it can be signalled".to_owned())
                .map_err(|error| error.to_string()),
        );
    }
}

/// Files of others, and places that are not its own.
fn files(report: &mut Report, targets: &Targets) {
    let known = [
        "/etc/shadow",
        "/etc/gshadow",
        "/root",
        "/root/.ssh",
        "/root/.aws",
        "/root/.docker",
        "/var/run/docker.sock",
        "/run/docker.sock",
        "/run/podman/podman.sock",
        "/run/dbus/system_bus_socket",
        "/run/systemd",
        "/var/log",
        "/var/lib",
        "/sys/class/net/eth0",
        "/dev/sda",
        "/dev/vda",
        "/dev/kmsg",
        "/dev/tty",
        "/tmp/.X11-unix",
        "/proc/kcore",
    ];
    let paths = known
        .iter()
        .map(ToString::to_string)
        .chain(targets.paths.iter().cloned());
    for path in paths {
        let is_link_to_nothing = fs::metadata(&path).is_err();
        let outcome = if is_link_to_nothing {
            Err("it is not there".to_owned())
        } else if Path::new(&path).is_dir() {
            match fs::read_dir(&path) {
                Ok(entries) => {
                    let names: Vec<String> = entries
                        .flatten()
                        .map(|entry| entry.file_name().to_string_lossy().into_owned())
                        .collect();
                    // A folder that is on the way to something shown has that alone.
                    match names
                        .iter()
                        .map(String::as_str)
                        .collect::<Vec<_>>()
                        .as_slice()
                    {
                        [] => Err("it is empty".to_owned()),
                        ["xkb"] if path == "/var/lib" => Err("keyboard layouts".to_owned()),
                        _ => Ok(names.join(" ")),
                    }
                }
                Err(error) => Err(error.to_string()),
            }
        } else {
            let read = File::open(&path).and_then(|mut file| file.read(&mut [0; 16]));
            let connected = UnixStream::connect(&path).map(|_| "connected".to_owned());
            match read {
                Ok(_) => Ok("it can be read".to_owned()),
                Err(error) => connected.map_err(|_| error.to_string()),
            }
        };
        report.note(format!("open {path}"), outcome);
    }
    for path in [
        "/",
        "/usr",
        "/usr/bin",
        "/etc",
        "/opt",
        "/run",
        "/run/casting/bin",
        "/dev",
        "/home",
    ] {
        let place = Path::new(path).join("hostile");
        let outcome = fs::write(&place, "x").map(|()| "written".to_owned());
        let _ = fs::remove_file(&place);
        report.note(
            format!("write to {path}"),
            outcome.map_err(|error| error.to_string()),
        );
    }
    let own = std::env::current_dir()
        .and_then(fs::read_dir)
        .map(Iterator::count);
    report.note(
        "find something in the working folder",
        match own {
            Ok(0) => Err("it is empty".to_owned()),
            Ok(count) => Ok(format!("{count} entries")),
            Err(error) => Err(error.to_string()),
        },
    );
}

/// What it may be and do.
fn rights(report: &mut Report) {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    let is = |holds: bool, value: String| if holds { Err(value) } else { Ok(value) };
    report.note(
        "be root",
        is(!nix::unistd::Uid::effective().is_root(), field("Uid")),
    );
    for set in ["CapPrm", "CapEff", "CapInh", "CapAmb"] {
        report.note(
            format!("have capabilities ({set})"),
            is(field(set).trim_matches('0').is_empty(), field(set)),
        );
    }
    let held = nix::sys::prctl::get_no_new_privs().unwrap_or(false);
    report.note("get new privileges", is(held, format!("held: {held}")));
    let cores = getrlimit(Resource::RLIMIT_CORE).unwrap_or((1, 1));
    report.note(
        "write its memory to a file",
        is(cores == (0, 0), format!("{cores:?}")),
    );
    let root = nix::unistd::setuid(nix::unistd::Uid::from_raw(0)).map(|()| "root".to_owned());
    report.note("become root", root.map_err(|error| error.to_string()));
    // Nothing of these attempts stays where they succeed: the place is its own, and is given back
    // at once.
    let place = std::env::temp_dir().join("hostile-mount");
    let _ = fs::create_dir_all(&place);
    let mount = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "x"])
        .arg(&place)
        .stderr(std::process::Stdio::null())
        .status();
    let _ = std::process::Command::new("umount")
        .arg(&place)
        .stderr(std::process::Stdio::null())
        .status();
    let _ = fs::remove_dir(&place);
    report.note(
        "mount something",
        match mount {
            Ok(status) if status.success() => Ok("mounted".to_owned()),
            Ok(status) => Err(status.to_string()),
            Err(error) => Err(error.to_string()),
        },
    );
}

/// Others' ports, the machine's networks, the cloud's metadata service; directly and through the
/// proxy.
fn network(report: &mut Report, targets: &Targets, port: u16) {
    let open: Vec<String> = (1..=u16::MAX)
        .filter(|other| ![port, 1080].contains(other))
        .filter(|other| {
            let address = SocketAddr::from(([127, 0, 0, 1], *other));
            // A port that is given to the caller itself answers itself.
            TcpStream::connect_timeout(&address, PATIENCE)
                .is_ok_and(|stream| stream.local_addr().is_ok_and(|own| own != address))
        })
        .map(|other| other.to_string())
        .collect();
    report.note(
        "reach other ports of the loopback interface",
        if open.is_empty() {
            Err("none is open".to_owned())
        } else {
            Ok(open.join(" "))
        },
    );
    let metadata = [
        "169.254.169.254:80",
        "169.254.170.2:80",
        "[fd00:ec2::254]:80",
    ];
    let metadata = metadata.iter().filter_map(|text| text.parse().ok());
    let loopback = targets.ports.iter().flat_map(|port| {
        [
            SocketAddr::from(([127, 0, 0, 1], *port)),
            SocketAddr::from(([0, 0, 0, 0], *port)),
            SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, *port)),
        ]
    });
    let all: Vec<SocketAddr> = metadata
        .chain(loopback)
        .chain(targets.addresses.iter().copied())
        .collect();
    for address in all {
        let direct = TcpStream::connect_timeout(&address, PATIENCE);
        report.note(
            format!("connect to {address}"),
            direct
                .map(|_| "connected".to_owned())
                .map_err(|error| error.to_string()),
        );
        report.note(
            format!("connect to {address} by the proxy"),
            by_proxy(&address_request(address)),
        );
    }
    for port in &targets.ports {
        for name in ["localhost", "localhost.", "127.1", "2130706433"] {
            report.note(
                format!("connect to {name}:{port} by the proxy"),
                by_proxy(&name_request(name, *port)),
            );
        }
    }
    let udp = UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        socket.connect("192.0.2.1:53")?;
        socket.send(b"x")
    });
    report.note(
        "send by UDP",
        udp.map(|_| "sent".to_owned())
            .map_err(|error| error.to_string()),
    );
    let sockets = fs::read_to_string("/proc/net/unix").unwrap_or_default();
    let abstracts: Vec<&str> = sockets
        .lines()
        .filter_map(|line| line.split_whitespace().last())
        .filter(|name| name.starts_with('@'))
        .collect();
    report.note(
        "find abstract sockets of others",
        if abstracts.is_empty() {
            Err("there are none".to_owned())
        } else {
            Ok(abstracts.join(" "))
        },
    );
}

/// What a SOCKS proxy is asked for an address.
fn address_request(address: SocketAddr) -> Vec<u8> {
    let mut request = vec![5, 1, 0];
    match address {
        SocketAddr::V4(address) => {
            request.push(1);
            request.extend(address.ip().octets());
        }
        SocketAddr::V6(address) => {
            request.push(4);
            request.extend(address.ip().octets());
        }
    }
    request.extend(address.port().to_be_bytes());
    request
}

/// The same for a name.
fn name_request(name: &str, port: u16) -> Vec<u8> {
    let mut request = vec![5, 1, 0, 3, name.len() as u8];
    request.extend(name.as_bytes());
    request.extend(port.to_be_bytes());
    request
}

/// Asks the session's proxy; `Ok` when it connects.
fn by_proxy(request: &[u8]) -> Result<String, String> {
    let asked = || -> std::io::Result<u8> {
        let mut proxy = TcpStream::connect("127.0.0.1:1080")?;
        proxy.set_read_timeout(Some(Duration::from_secs(25)))?;
        proxy.write_all(&[5, 1, 0])?;
        proxy.read_exact(&mut [0; 2])?;
        proxy.write_all(request)?;
        let mut answer = [0; 2];
        proxy.read_exact(&mut answer)?;
        Ok(answer[1])
    };
    match asked() {
        Ok(0) => Ok("connected".to_owned()),
        Ok(code) => Err(format!("refused with code {code}")),
        Err(error) => Err(error.to_string()),
    }
}
