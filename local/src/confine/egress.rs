//! Owns the way out of a confined session: a SOCKS proxy on a socket in the task's folder that
//! connects to public addresses, and to those that an administrator opens. Names are looked up
//! here, and what they lead to is judged, so no name leads inside. Must not run in the session.

use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, lchown};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use fast_socks5::server::Socks5ServerProtocol;
use fast_socks5::util::target_addr::TargetAddr;
use fast_socks5::{ReplyError, Socks5Command};
use tokio::io::copy_bidirectional_with_sizes;
use tokio::net::{TcpStream, UnixListener, UnixStream, lookup_host};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::plan::NET_SOCKET;
use super::reach::{Reach, is_open};

/// How many connections a session may have.
const CONNECTIONS: usize = 256;
/// How long a session may take to say where it wants to go.
const ASKED_WITHIN: Duration = Duration::from_secs(10);
/// How long an address may take to answer.
const ANSWERED_WITHIN: Duration = Duration::from_secs(20);
/// How much of a connection is on its way, in bytes.
const PIECE: usize = 32 * 1024;

/// The proxy's socket in the current folder, for this user alone; `None`: the caller's own.
///
/// # Errors
/// When it cannot be made.
pub fn listen(user: Option<u32>) -> anyhow::Result<UnixListener> {
    let path = Path::new(NET_SOCKET);
    let _ = std::fs::remove_file(path);
    let listener = UnixListener::bind(path).context("the proxy's socket cannot be made")?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    lchown(path, user, user).context("the proxy's socket cannot be given to the session")?;
    Ok(listener)
}

/// Serves the proxy for as long as it is polled.
pub async fn serve(listener: UnixListener, reach: Vec<Reach>) -> std::convert::Infallible {
    let (room, reach) = (
        Arc::new(Semaphore::new(CONNECTIONS)),
        Arc::<[Reach]>::from(reach),
    );
    loop {
        let permit = room.clone().acquire_owned().await;
        let Ok((session, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let reach = reach.clone();
        tokio::spawn(async move {
            let _permit = permit;
            // A session that does not keep to the protocol has a connection that is closed.
            let _ = pass(session, &reach).await;
        });
    }
}

async fn pass(session: UnixStream, reach: &[Reach]) -> anyhow::Result<()> {
    let asked = timeout(ASKED_WITHIN, async {
        Socks5ServerProtocol::accept_no_auth(session)
            .await?
            .read_command()
            .await
    });
    let (proto, command, target) = asked.await??;
    if command != Socks5Command::TCPConnect {
        proto.reply_error(&ReplyError::CommandNotSupported).await?;
        return Ok(());
    }
    match timeout(ANSWERED_WITHIN, connect(&target, reach)).await {
        Ok(Ok(mut outside)) => {
            let mut session = proto.reply_success(outside.local_addr()?).await?;
            copy_bidirectional_with_sizes(&mut session, &mut outside, PIECE, PIECE).await?;
        }
        Ok(Err(error)) => proto.reply_error(&error).await?,
        Err(_) => proto.reply_error(&ReplyError::TtlExpired).await?,
    }
    Ok(())
}

/// Connects to the first address of the target that is open and answers.
async fn connect(target: &TargetAddr, reach: &[Reach]) -> Result<TcpStream, ReplyError> {
    let addresses: Vec<SocketAddr> = match target {
        TargetAddr::Ip(address) => vec![*address],
        TargetAddr::Domain(name, port) => lookup_host((name.as_str(), *port))
            .await
            .map_err(|_| ReplyError::HostUnreachable)?
            .collect(),
    };
    let mut outcome = ReplyError::ConnectionNotAllowed;
    for address in addresses {
        if !is_open(address.ip(), address.port(), reach) {
            continue;
        }
        match TcpStream::connect(address).await {
            // A public address may be this machine's own: what listens there is no business of a
            // session's.
            Ok(stream) if is_this_machine(&stream, reach) => {}
            Ok(stream) => {
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(_) => outcome = ReplyError::ConnectionRefused,
        }
    }
    Err(outcome)
}

fn is_this_machine(stream: &TcpStream, reach: &[Reach]) -> bool {
    let (Ok(here), Ok(there)) = (stream.local_addr(), stream.peer_addr()) else {
        return true;
    };
    let is_named = reach
        .iter()
        .any(|open| open.addresses.contains(&there.ip().to_canonical()));
    here.ip() == there.ip() && !is_named
}
