//! `std/net`: addresses, networks and URLs, read as text. Nothing is looked up or connected to.

use std::net::IpAddr;

use ipnet::IpNet;
use lockstep_dsl::expr::{Arguments, Fault, NativeFunction, StdModule};
use lockstep_dsl::value::{Map, Value};
use url::{Url, form_urlencoded};

use crate::limits::HOSTS;

pub const MODULE: StdModule = StdModule {
    import: "std/net",
    about: "Addresses, networks and URLs, read as text. Nothing is looked up or connected to.",
    text: include_str!("../rhai/net.rhai"),
    natives: &[
        NativeFunction {
            signature: "net::ip(text: string) -> map",
            docs: "An IP address: `text` in its usual form, `version` (4 or 6), `is_private` (of RFC 1918 or \
                   fc00::/7), `is_loopback`, `is_link_local`, `is_multicast` and `is_unspecified`.\n    \
                   net::ip(\"10.0.0.7\").is_private // => true\n    \
                   net::ip(\"2001:DB8:0::1\").text // => \"2001:db8::1\"",
            run: ip,
        },
        NativeFunction {
            signature: "net::is_ip(text: string) -> bool",
            docs: "Whether a text is an IP address, of either version.\n    \
                   net::is_ip(\"::1\") // => true\n    net::is_ip(\"10.0.0.256\") // => false",
            run: |given| Ok(given.text(0)?.parse::<IpAddr>().is_ok().into()),
        },
        NativeFunction {
            signature: "net::cidr(text: string) -> map",
            docs: "A network: `text`, `network`, `prefix`, `mask`, `first` and `last` address, `version`, and `size` (how \
                   many addresses, `()` where they are more than a number can say).\n    \
                   net::cidr(\"10.1.2.3/24\").network // => \"10.1.2.0\"\n    \
                   net::cidr(\"10.1.2.3/24\").last // => \"10.1.2.255\"\n    \
                   net::cidr(\"10.0.0.0/30\").size // => 4",
            run: cidr,
        },
        NativeFunction {
            signature: "net::contains(network: string, inner: string) -> bool",
            docs: "Whether an address, or all of another network, lies in a network. Versions never mix.\n    \
                   net::contains(\"10.0.0.0/8\", \"10.255.0.1\") // => true\n    \
                   net::contains(\"10.0.0.0/8\", \"10.1.0.0/16\") // => true\n    \
                   net::contains(\"10.0.0.0/8\", \"::1\") // => false",
            run: |given| Ok(network(given, 0)?.contains(&network(given, 1)?).into()),
        },
        NativeFunction {
            signature: "net::hosts(network: string) -> list",
            docs: "The addresses of a network that hosts can have, in order; of at most 4,096 addresses.\n    \
                   net::hosts(\"10.0.0.0/30\") // => [\"10.0.0.1\", \"10.0.0.2\"]",
            run: hosts,
        },
        NativeFunction {
            signature: "net::url(text: string) -> map",
            docs: "The parts of a URL: `scheme`, `host`, `port` (that of the scheme where none is given), `path`, `query` \
                   (a map; of a name given twice the last), `fragment`, `user`, and `text` in its usual form. What is \
                   not there is `()`. A password is left out.\n    \
                   net::url(\"https://example.org/a?b=1#c\").port // => 443\n    \
                   net::url(\"HTTPS://Example.org:8443/a/../b?x=1&y=%20\").query // => #{ x: \"1\", y: \" \" }",
            run: url,
        },
        NativeFunction {
            signature: "net::url_join(base: string, reference: string) -> string",
            docs: "The URL that a reference means when it stands in another one.\n    \
                   net::url_join(\"https://example.org/a/b\", \"../c?d\") // => \"https://example.org/c?d\"",
            run: |given| {
                let base = parsed(given, 0)?;
                let joined = base
                    .join(given.text(1)?)
                    .map_err(|error| given.invalid(format!("the reference is no URL: {error}")))?;
                Ok(joined.to_string().into())
            },
        },
        NativeFunction {
            signature: "net::query(values: map) -> string",
            docs: "A map as the query of a URL, names in order.\n    \
                   net::query(#{ q: \"a b\", n: 1 }) // => \"n=1&q=a+b\"",
            run: query,
        },
        NativeFunction {
            signature: "net::encode(text: string) -> string",
            docs: "A text as one part of a URL's path or query: all but letters, digits and `-._~` becomes `%XX`.\n    \
                   net::encode(\"a b/ü\") // => \"a%20b%2F%C3%BC\"",
            run: |given| {
                let text = given.text(0)?;
                given.will_build(text.len().saturating_mul(3))?;
                Ok(encode(text).into())
            },
        },
        NativeFunction {
            signature: "net::decode(text: string) -> string",
            docs: "The text that `%XX` stands for. `+` stays.\n    net::decode(\"a%20b%2Fc\") // => \"a b/c\"",
            run: decode,
        },
        NativeFunction {
            signature: "net::is_hostname(text: string) -> bool",
            docs: "Whether a text can be the name of a host: labels of letters, digits and `-` between dots, each of at \
                   most 63 characters, 253 in all.\n    \
                   net::is_hostname(\"web-1.example.org\") // => true\n    net::is_hostname(\"-x.org\") // => false",
            run: |given| Ok(is_hostname(given.text(0)?).into()),
        },
        NativeFunction {
            signature: "net::host_port(text: string) -> map",
            docs: "The `host` and the `port` of a text such as `web-1:8080` or `[::1]:80`; without a port that is `()`.\n    \
                   net::host_port(\"[2001:db8::1]:443\") // => #{ host: \"2001:db8::1\", port: 443 }\n    \
                   net::host_port(\"web-1\").port // => ()",
            run: host_port,
        },
    ],
};

fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Map(entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn ip(given: &mut Arguments<'_, '_>) -> Result<Value, Fault> {
    let text = given.text(0)?;
    let ip: IpAddr = text.parse().map_err(|_| given.invalid(format!("`{text}` is not an IP address")))?;
    let (private, link_local) = match ip {
        IpAddr::V4(ip) => (ip.is_private(), ip.is_link_local()),
        IpAddr::V6(ip) => (ip.is_unique_local(), ip.is_unicast_link_local()),
    };
    Ok(map([
        ("text", ip.to_string().into()),
        ("version", version(ip)),
        ("is_private", private.into()),
        ("is_loopback", ip.is_loopback().into()),
        ("is_link_local", link_local.into()),
        ("is_multicast", ip.is_multicast().into()),
        ("is_unspecified", ip.is_unspecified().into()),
    ]))
}

const fn version(ip: IpAddr) -> Value {
    Value::Int(if ip.is_ipv4() { 4 } else { 6 })
}

/// A network, or an address as a network of its own.
fn network(given: &Arguments<'_, '_>, index: usize) -> Result<IpNet, Fault> {
    let text = given.text(index)?;
    let network = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    network.map(|network| network.trunc()).ok_or_else(|| {
        given.invalid(format!("`{text}` is neither a network nor an address")).help("write it as `10.0.0.0/8`")
    })
}

/// How many addresses a network has, as a power of two.
fn bits(network: &IpNet) -> u32 {
    u32::from(network.max_prefix_len() - network.prefix_len())
}

fn cidr(given: &mut Arguments<'_, '_>) -> Result<Value, Fault> {
    let network = network(given, 0)?;
    let size = 1_i64.checked_shl(bits(&network)).filter(|size| *size > 0);
    Ok(map([
        ("text", network.to_string().into()),
        ("network", network.network().to_string().into()),
        ("prefix", Value::Int(network.prefix_len().into())),
        ("mask", network.netmask().to_string().into()),
        ("first", network.network().to_string().into()),
        ("last", network.broadcast().to_string().into()),
        ("version", version(network.addr())),
        ("size", size.map_or(Value::Null, Value::Int)),
    ]))
}

fn hosts(given: &mut Arguments<'_, '_>) -> Result<Value, Fault> {
    let network = network(given, 0)?;
    let count = 1_u128.checked_shl(bits(&network)).unwrap_or(u128::MAX);
    if count > HOSTS {
        let fault = given.invalid(format!("`{network}` has more than {HOSTS} addresses"));
        return Err(fault.help("ask for a single one with `net::contains`"));
    }
    given.charge(usize::try_from(count).unwrap_or(usize::MAX))?;
    Ok(Value::List(network.hosts().map(|ip| ip.to_string().into()).collect()))
}

fn parsed(given: &Arguments<'_, '_>, index: usize) -> Result<Url, Fault> {
    let text = given.text(index)?;
    Url::parse(text).map_err(|error| given.invalid(format!("`{text}` is not a URL: {error}")))
}

fn url(given: &mut Arguments<'_, '_>) -> Result<Value, Fault> {
    let mut url = parsed(given, 0)?;
    // What cannot have a password has none to be left out.
    let _ = url.set_password(None);
    let text = |text: Option<&str>| text.map_or(Value::Null, Value::from);
    let host = url.host_str().map(|host| host.trim_start_matches('[').trim_end_matches(']'));
    let query: Map = url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned().into())).collect();
    Ok(map([
        ("text", url.to_string().into()),
        ("scheme", url.scheme().into()),
        ("user", text(Some(url.username()).filter(|user| !user.is_empty()))),
        ("host", text(host)),
        ("port", url.port_or_known_default().map_or(Value::Null, |port| Value::Int(port.into()))),
        ("path", url.path().into()),
        ("query", Value::Map(query)),
        ("fragment", text(url.fragment())),
    ]))
}

fn query(given: &mut Arguments<'_, '_>) -> Result<Value, Fault> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in given.map(0)? {
        given.charge(1)?;
        let text = value.to_text().map_err(|error| given.invalid(format!("`{name}`: {error}")))?;
        query.append_pair(name, &text);
    }
    Ok(query.finish().into())
}

fn encode(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(byte.into()),
            _ => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
        encoded
    })
}

fn decode(given: &mut Arguments<'_, '_>) -> Result<Value, Fault> {
    let text = given.text(0)?.as_bytes();
    let mut bytes = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let pair = text.get(at + 1..at + 3).filter(|pair| pair.iter().all(u8::is_ascii_hexdigit));
        match (byte, pair.and_then(|pair| std::str::from_utf8(pair).ok())) {
            (b'%', Some(pair)) => {
                bytes.push(u8::from_str_radix(pair, 16).map_err(|error| given.invalid(error))?);
                at += 3;
            }
            (b'%', None) => return Err(given.invalid("`%` is not followed by two hexadecimal digits")),
            (byte, _) => {
                bytes.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8(bytes).map(Value::from).map_err(|_| given.invalid("the bytes are not UTF-8 text"))
}

fn is_hostname(text: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let name = text.strip_suffix('.').unwrap_or(text);
    name.len() <= 253 && name.split('.').all(is_label)
}

fn host_port(given: &mut Arguments<'_, '_>) -> Result<Value, Fault> {
    let text = given.text(0)?;
    let wrong = || {
        let fault = given.invalid(format!("`{text}` is not a host with a port"));
        fault.help("write it as `web-1:8080`, and an address of version 6 in brackets: `[::1]:80`")
    };
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or_else(wrong)?;
        if !host.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv6()) {
            return Err(wrong());
        }
        (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':').ok_or_else(wrong)?) })
    } else if text.parse::<IpAddr>().is_ok() {
        (text, None)
    } else {
        text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)))
    };
    let is_host = host.parse::<IpAddr>().is_ok() || is_hostname(host);
    let port = match port {
        None => Value::Null,
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
            Value::Int(port.parse::<u16>().map_err(|_| wrong())?.into())
        }
        Some(_) => return Err(wrong()),
    };
    if is_host { Ok(map([("host", host.into()), ("port", port)])) } else { Err(wrong()) }
}
