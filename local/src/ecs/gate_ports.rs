//! Owns the ports of this machine at which the gates of its tasks listen: which one each takes, and
//! which are taken now. The edge looks for gates at these and at no others of this machine.

use std::collections::BTreeSet;
use std::io;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};

/// Where gates listen: below the ports that systems give to connections, so that none is taken
/// between choice and use.
const FIRST: u16 = 20_000;
const COUNT: u16 = 10_000;

/// The ports that gates have now. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct GatePorts(Arc<Mutex<BTreeSet<u16>>>);

/// A gate's port, its own until this is dropped.
#[derive(Debug)]
pub(super) struct Taken {
    port: u16,
    ports: GatePorts,
}

impl GatePorts {
    /// Whether a gate of this stack has this port.
    pub fn has(&self, port: u16) -> bool {
        self.lock().contains(&port)
    }

    /// Takes a port that is free. `seed` says where to begin, so that stacks side by side look in
    /// different places.
    pub(super) fn take(&self, seed: u32) -> io::Result<Taken> {
        let start = u16::try_from(seed % u32::from(COUNT)).unwrap_or_default();
        for step in 0..COUNT {
            let port = FIRST + (start + step) % COUNT;
            let is_new = self.lock().insert(port);
            if !is_new {
                continue;
            }
            let taken = Taken {
                port,
                ports: self.clone(),
            };
            if TcpListener::bind(("127.0.0.1", port)).is_ok() {
                return Ok(taken);
            }
        }
        Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            "no port is free for the gate",
        ))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeSet<u16>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// The port.
    pub(super) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.ports.lock().remove(&self.port);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_belongs_to_a_gate_while_it_runs() {
        let ports = GatePorts::default();
        let one = ports.take(u32::MAX).expect("a port");
        let two = ports.take(u32::MAX).expect("a port");
        assert_ne!(one.port(), two.port());
        let busy = TcpListener::bind(("127.0.0.1", two.port())).expect("nobody listens there yet");
        let port = one.port();
        assert!(ports.has(port) && ports.has(two.port()));
        drop((one, two));
        assert!(!ports.has(port));
        let again = ports.take(u32::MAX).expect("a port");
        assert_ne!(again.port(), busy.local_addr().expect("an address").port());
    }
}
