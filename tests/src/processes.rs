//! Owns what a suite asks of the machine's processes: which of them belong to a session.

/// The ids of the processes whose environment names this text (such as a session's id).
pub fn with_environment(text: &str) -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let of_process = |entry: std::fs::DirEntry| {
        let id: u32 = entry.file_name().to_str()?.parse().ok()?;
        let environment = std::fs::read(entry.path().join("environ")).ok()?;
        environment
            .windows(text.len())
            .any(|window| window == text.as_bytes())
            .then_some(id)
    };
    entries.flatten().filter_map(of_process).collect()
}

/// The TCP ports that a process listens on, in the order in which it opened them.
pub fn listening_ports(process: u32) -> Vec<u16> {
    let sockets: Vec<(String, u16)> = ["tcp", "tcp6"]
        .iter()
        .flat_map(|table| {
            let text = std::fs::read_to_string(format!("/proc/{process}/net/{table}"));
            text.unwrap_or_default()
                .lines()
                .filter_map(listener)
                .collect::<Vec<_>>()
        })
        .collect();
    let files = std::fs::read_dir(format!("/proc/{process}/fd"))
        .into_iter()
        .flatten()
        .flatten();
    let mut open: Vec<(u32, u16)> = files
        .filter_map(|file| {
            let number: u32 = file.file_name().to_str()?.parse().ok()?;
            let target = std::fs::read_link(file.path()).ok()?;
            let inode = target
                .to_str()?
                .strip_prefix("socket:[")?
                .strip_suffix(']')?;
            let (_, port) = sockets.iter().find(|(known, _)| known == inode)?;
            Some((number, *port))
        })
        .collect();
    open.sort_unstable();
    open.into_iter().map(|(_, port)| port).collect()
}

/// The inode and the port of a socket that listens, from its line in `/proc/net/tcp`.
fn listener(line: &str) -> Option<(String, u16)> {
    const LISTENS: &str = "0A";
    let columns: Vec<&str> = line.split_whitespace().collect();
    let port = columns.get(1)?.rsplit_once(':')?.1;
    (*columns.get(3)? == LISTENS).then(|| {
        Some((
            (*columns.get(9)?).to_owned(),
            u16::from_str_radix(port, 16).ok()?,
        ))
    })?
}

/// How much memory of the machine a process occupies, in bytes; 0 when there is none.
pub fn resident_bytes(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|line| line.split_whitespace().next())
        .and_then(|kib| kib.parse::<u64>().ok());
    kib.unwrap_or_default() * 1024
}

/// Waits until something holds, half a minute at most; asks again and again. A busy machine takes ten seconds for what an idle one does in one.
pub async fn soon(mut holds: impl AsyncFnMut() -> bool) -> bool {
    for _ in 0..600 {
        if holds().await {
            return true;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    false
}
