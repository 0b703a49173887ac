"""The store from Python: pairs, a range, a counter, a transaction, a time to live."""
import varve

with varve.open("data") as db:
    db[b"fruit/apple"] = b"red"
    db[b"fruit/pear"] = b"green"
    db.put(b"session/17", b"open", ttl=3600)

    for key, value in db.items(prefix=b"fruit/"):
        print(key.decode(), value.decode())
    print(db.increment(b"visits"), db.ttl(b"session/17") > 3000)

    # Both or neither, whatever others write meanwhile.
    db.update({b"account/anna": b"100", b"account/ben": b"0"})

    def pay(t):
        anna, ben = int(t[b"account/anna"]), int(t[b"account/ben"])
        t[b"account/anna"], t[b"account/ben"] = b"%d" % (anna - 30), b"%d" % (ben + 30)

    db.transact(pay)
    print(dict(db[b"account/":b"account0"]))

    try:
        db[b"fruit/plum"]
    except varve.NotFound as error:
        print(error)
