//! Names in place of addresses, where the user gives them: looked up anew before every dial.
//!
//! Neither libc nor its name service switch is asked, so a static program in an otherwise empty image can do it too.
//! The system's settings are read for every lookup, for a device that comes into another network gets another name
//! server; and nothing is cached, for a container that comes back has another address long before the answer expires.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::system_conf::read_system_conf;
use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use tokio::time::timeout;

use super::discovery::dialable;

/// How long a lookup may take, all tries and name servers together.
const LOOKUP_LIMIT: Duration = Duration::from_secs(5);

/// How long one name server is given to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// Addresses of one name that are tried: a few interfaces of one host. They are dialled at the same time.
const MAX_FOUND: usize = 4;

/// An address that begins with a host's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ByName {
    host: String,
    family: LookupIpStrategy,
    /// What follows the name: the transport and its port.
    rest: Multiaddr,
}

/// Why a name led to no address.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LookupError {
    /// No name server was found that knows the name.
    #[error("no address found for {host}: {source}")]
    Refused { host: String, source: NetError },
    /// No name server has answered.
    #[error("no address found for {host}: no answer within {} s", LOOKUP_LIMIT.as_secs())]
    Silence { host: String },
    /// The name stands for nothing that can be dialled.
    #[error("{host} has no address that can be dialled")]
    Nowhere { host: String },
}

impl ByName {
    /// Takes an address apart that begins with a name and goes on like any that can be dialled.
    pub(crate) fn parse(address: &Multiaddr) -> Option<Self> {
        let mut parts = address.iter();
        let (host, family) = match parts.next()? {
            Protocol::Dns(host) => (host, LookupIpStrategy::Ipv4AndIpv6),
            Protocol::Dns4(host) => (host, LookupIpStrategy::Ipv4Only),
            Protocol::Dns6(host) => (host, LookupIpStrategy::Ipv6Only),
            _ => return None,
        };
        let named = Self { host: host.into_owned(), family, rest: parts.collect() };
        let example = dialable(&named.at(Ipv4Addr::LOCALHOST.into()), true);
        (!named.host.is_empty() && example.is_some()).then_some(named)
    }

    /// Looks up where the host is, with the system's settings as they are now.
    pub(crate) async fn look_up(&self) -> Result<Vec<Multiaddr>, LookupError> {
        // resolv.conf(5): where nothing is said, the name server is on this machine. Names in the hosts file need none.
        let (servers, options) = read_system_conf().unwrap_or_else(|error| {
            tracing::debug!(%error, "no name server set");
            let local = NameServerConfig::udp_and_tcp(Ipv4Addr::LOCALHOST.into());
            (ResolverConfig::from_name_servers(vec![local]), ResolverOpts::default())
        });
        self.look_up_with(servers, options).await
    }

    async fn look_up_with(
        &self,
        servers: ResolverConfig,
        mut options: ResolverOpts,
    ) -> Result<Vec<Multiaddr>, LookupError> {
        options.ip_strategy = self.family;
        options.cache_size = 0;
        options.timeout = options.timeout.min(ANSWER_LIMIT);
        let host = || self.host.clone();
        let resolver = TokioResolver::builder_with_config(servers, TokioRuntimeProvider::default())
            .with_options(options)
            .build()
            .map_err(|source| LookupError::Refused { host: host(), source })?;
        let found = timeout(LOOKUP_LIMIT, resolver.lookup_ip(self.host.as_str()))
            .await
            .map_err(|_| LookupError::Silence { host: host() })?
            .map_err(|source| LookupError::Refused { host: host(), source })?;
        let places: Vec<Multiaddr> = found
            .iter()
            .map(|ip| self.at(ip))
            .filter(|place| dialable(place, true).is_some())
            .take(MAX_FOUND)
            .collect();
        if places.is_empty() { Err(LookupError::Nowhere { host: host() }) } else { Ok(places) }
    }

    /// Returns the address with the host's IP address in place of its name.
    fn at(&self, ip: IpAddr) -> Multiaddr {
        self.rest.iter().fold(Multiaddr::from(ip), Multiaddr::with)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use hickory_resolver::config::ConnectionConfig;
    use tokio::net::UdpSocket;

    use super::*;

    fn named(address: &str) -> ByName {
        ByName::parse(&address.parse().unwrap()).unwrap()
    }

    /// A name server on loopback that says of every name, once for each in the list, that it is at that address.
    async fn name_server(answers: Vec<Ipv4Addr>) -> ResolverConfig {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let mut server = NameServerConfig::udp(Ipv4Addr::LOCALHOST.into());
        server.connections = vec![ConnectionConfig::udp()];
        server.connections.iter_mut().for_each(|way| way.port = socket.local_addr().unwrap().port());
        tokio::spawn(async move {
            let mut query = [0; 512];
            for ip in answers {
                let (len, from) = socket.recv_from(&mut query).await.unwrap();
                socket.send_to(&answer(query.get(..len).unwrap(), ip), from).await.unwrap();
            }
        });
        ResolverConfig::from_name_servers(vec![server])
    }

    /// RFC 1035, section 4.1: the question comes back with one answer to it, good for ten minutes.
    fn answer(query: &[u8], ip: Ipv4Addr) -> Vec<u8> {
        let (id, rest) = query.split_at(2);
        let end = 10 + rest.get(10..).unwrap().iter().position(|byte| *byte == 0).unwrap() + 5;
        let question = rest.get(10..end).unwrap();
        let counts = [0, 1, 0, 1, 0, 0, 0, 0];
        let head = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0x02, 0x58, 0, 4];
        [id, &[0x81, 0x80], &counts, question, &head, &ip.octets()].concat()
    }

    #[test]
    fn only_a_name_with_a_transport_and_a_port_is_taken() {
        for good in ["/dns4/command/tcp/4001", "/dns6/command/udp/4001/quic-v1", "/dns/base.example.org/tcp/1"] {
            assert!(ByName::parse(&good.parse().unwrap()).is_some(), "{good}");
        }
        for bad in [
            "/dns4/command",
            "/dns4/command/tcp/0",
            "/dns4/command/udp/4001",
            "/dns4/command/tcp/1/ws",
            "/dns4/a/dns4/b/tcp/1",
            "/dnsaddr/command/tcp/4001",
            "/ip4/10.0.0.1/tcp/4001",
        ] {
            assert_eq!(ByName::parse(&bad.parse().unwrap()), None, "{bad}");
        }
    }

    #[tokio::test]
    async fn a_name_is_asked_for_anew_each_time_and_takes_the_rest_of_the_address_along() {
        let answers = vec![Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2)];
        let servers = name_server(answers).await;
        let command = named("/dns4/command./udp/4001/quic-v1");
        for expected in ["/ip4/10.0.0.1/udp/4001/quic-v1", "/ip4/10.0.0.2/udp/4001/quic-v1"] {
            let found = command.look_up_with(servers.clone(), ResolverOpts::default()).await.unwrap();
            assert_eq!(found, [expected.parse().unwrap()]);
        }
    }

    #[tokio::test]
    async fn a_name_that_stands_for_nothing_to_dial_is_refused() {
        let servers = name_server(vec![Ipv4Addr::UNSPECIFIED]).await;
        let found = named("/dns4/command./tcp/4001").look_up_with(servers, ResolverOpts::default()).await;
        assert!(matches!(found, Err(LookupError::Nowhere { .. })), "{found:?}");
    }

    #[tokio::test]
    async fn a_name_server_that_does_not_answer_is_not_waited_for_for_long() {
        let deaf = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let mut server = NameServerConfig::udp(Ipv4Addr::LOCALHOST.into());
        server.connections.iter_mut().for_each(|way| way.port = deaf.local_addr().unwrap().port());
        let servers = ResolverConfig::from_name_servers(vec![server]);
        let looking = named("/dns4/command./tcp/4001").look_up_with(servers, ResolverOpts::default()).await;
        assert!(matches!(looking, Err(LookupError::Silence { .. } | LookupError::Refused { .. })), "{looking:?}");
    }
}
