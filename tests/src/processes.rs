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

/// Waits until something holds, ten seconds at most; asks again and again.
pub async fn soon(mut holds: impl AsyncFnMut() -> bool) -> bool {
    for _ in 0..200 {
        if holds().await {
            return true;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    false
}
