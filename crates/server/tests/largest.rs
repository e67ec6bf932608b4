//! Hot keys and large keys.

mod support;

use std::collections::BTreeMap;

use support::{Client, encode, start, start_with};
use tandem_server::ClientLimits;

/// The elements of a reply, arrays flattened.
fn words(reply: &str) -> Vec<String> {
    let mut lines = reply.split("\r\n");
    let mut words = Vec::new();
    while let Some(line) = lines.next() {
        match line.as_bytes().first() {
            Some(b'$') => words.push(lines.next().unwrap().to_owned()),
            Some(b':') => words.push(line[1..].to_owned()),
            _ => {}
        }
    }
    words
}

/// Every step of TANDEM.BIGKEYS: key, bytes and type.
fn all_big_keys(client: &mut Client, count: usize) -> BTreeMap<String, (u64, String)> {
    let (mut found, mut cursor) = (BTreeMap::new(), "0".to_owned());
    loop {
        let reply = words(&client.ask(&format!("TANDEM.BIGKEYS {cursor} COUNT {count}")));
        let sizes: Vec<u64> = reply[1..].chunks(3).map(|one| one[1].parse().unwrap()).collect();
        assert!(sizes.len() <= count && sizes.is_sorted_by(|one, other| one >= other), "{reply:?}");
        for one in reply[1..].chunks(3) {
            assert_eq!(found.insert(one[0].clone(), (one[1].parse().unwrap(), one[2].clone())), None);
        }
        cursor.clone_from(&reply[0]);
        if cursor == "0" {
            return found;
        }
    }
}

#[test]
fn the_largest_keys_come_first_and_none_twice() {
    let running = start();
    let mut client = running.connect();
    let writes: Vec<u8> = (0..20_000).flat_map(|number| encode(&format!("SET key:{number} {number}"))).collect();
    client.ask_bytes(&writes);
    let bytes = |seed: u32| {
        (0..50_000u32).map(|n| char::from(b'a' + (n.wrapping_mul(seed) >> 7) as u8 % 26)).collect::<String>()
    };
    client.ask(&format!("SET big {}", bytes(2_654_435_761)));
    client.ask(&format!("SADD set {}", bytes(2_246_822_519)));
    client.ask("SELECT 3");
    client.ask(&format!("SET elsewhere {}", bytes(3_266_489_917)));
    client.ask("SELECT 0");

    let found = all_big_keys(&mut client, 2);
    assert!(!found.contains_key("elsewhere"));
    assert_eq!((&*found["big"].1, &*found["set"].1), ("string", "set"));
    for key in ["big", "set"] {
        assert_eq!(client.ask(&format!("MEMORY USAGE {key}")), format!(":{}\r\n", found[key].0));
    }
    let third = found.iter().filter(|(key, _)| !["big", "set"].contains(&&***key)).map(|(_, (bytes, _))| *bytes).max();
    assert!(third.unwrap() < found["big"].0.min(found["set"].0));
    assert_eq!(all_big_keys(&mut client, 1_000).len().min(1_000), 1_000);

    client.ask("SELECT 3");
    assert_eq!(all_big_keys(&mut client, 10).into_keys().collect::<Vec<_>>(), ["elsewhere"]);
}

#[test]
fn hot_keys_of_all_loops_are_found() {
    let running = start_with(2, ClientLimits::default());
    let (mut one, mut other) = (running.connect(), running.connect());
    assert_eq!(words(&one.ask("TANDEM.HOTKEYS"))[..3], ["requests", "0", "keys"].map(str::to_owned)[..]);
    let requests: Vec<u8> = (0..20_000)
        .flat_map(|number| encode(&if number % 2 == 0 { "GET hot".into() } else { format!("GET cold:{number}") }))
        .collect();
    for client in [&mut one, &mut other] {
        client.ask_bytes(&requests);
    }
    one.ask("SELECT 1");
    one.ask_bytes(&encode("GET warm").repeat(10_000));
    one.ask("SELECT 0");

    let reply = words(&one.ask("TANDEM.HOTKEYS COUNT 3"));
    let about = |word: &str, expected: f64| (0.8..1.2).contains(&(word.parse::<f64>().unwrap() / expected));
    assert!(about(&reply[1], 50_000.0), "{reply:?}");
    assert_eq!((reply.len(), &*reply[3]), (12, "hot"));
    assert!(about(&reply[4], 20_000.0), "{reply:?}");
    one.ask("SELECT 1");
    let warm = words(&one.ask("TANDEM.HOTKEYS"));
    assert_eq!((warm.len(), &*warm[3]), (6, "warm"));
    assert!(about(&warm[4], 10_000.0), "{warm:?}");

    one.ask("CONFIG RESETSTAT");
    one.ask("HELLO 3");
    assert_eq!(one.ask("TANDEM.HOTKEYS"), "%2\r\n$8\r\nrequests\r\n:0\r\n$4\r\nkeys\r\n*0\r\n");
}

#[test]
fn their_arguments_are_checked() {
    let running = start();
    let mut client = running.connect();
    for (command, most) in [("TANDEM.HOTKEYS", 128), ("TANDEM.BIGKEYS 0", 1_000)] {
        let name = command.split(' ').next().unwrap();
        for (rest, answer) in [
            ("COUNT", "-ERR syntax error\r\n".to_owned()),
            ("MOST 1", "-ERR syntax error\r\n".into()),
            ("COUNT 1 2", "-ERR syntax error\r\n".into()),
            ("COUNT x", "-ERR value is not an integer or out of range\r\n".into()),
            ("COUNT 0", format!("-ERR COUNT must be from 1 to {most}\r\n")),
            ("COUNT -1", format!("-ERR COUNT must be from 1 to {most}\r\n")),
            ("COUNT 1001", format!("-ERR COUNT must be from 1 to {most}\r\n")),
        ] {
            assert_eq!(client.ask(&format!("{command} {rest}")), answer, "{name} {rest}");
        }
    }
    client.expect(&[
        ("TANDEM.BIGKEYS", "-ERR wrong number of arguments for 'tandem.bigkeys' command\r\n"),
        ("TANDEM.BIGKEYS x", "-ERR invalid cursor\r\n"),
        ("TANDEM.BIGKEYS 0", "*2\r\n$1\r\n0\r\n*0\r\n"),
    ]);
    for (words, reply) in
        [("MULTI", "+OK\r\n"), ("TANDEM.HOTKEYS", "-ERR Command not allowed inside a transaction\r\n")]
    {
        client.send(&encode(words));
        client.receive(reply.as_bytes());
    }
}
