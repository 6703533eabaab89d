using System.Globalization;
using Weir.Client;
using Weir.Samples.ExactlyOnceSqlite;

// Adds payments up in a database of its own, each exactly once, however often it is killed and however many of it run:
//   ExactlyOnceSqlite run SERVER GROUP DATABASE     GROUP is a declared stream group; key: account, value: cents
//   ExactlyOnceSqlite report DATABASE
if (args is ["report", var existing])
{
    using var kept = new Ledger(existing);
    foreach (var (account, cents, payments) in kept.Balances())
    {
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{account} {cents} {payments}"));
    }

    return 0;
}

if (args is not ["run", var server, var group, var database])
{
    Console.Error.WriteLine("usage: ExactlyOnceSqlite run SERVER GROUP DATABASE | report DATABASE");
    return 2;
}

using var stop = new CancellationTokenSource();
Console.CancelKeyPress += (_, pressed) =>
{
    pressed.Cancel = true;
    stop.Cancel();
};

using var ledger = new Ledger(database);
await using var client = await WeirClient.ConnectAsync(server, stop.Token);
await using var member = client.CreateGroupConsumer(group, Serializers.Utf8, Serializers.Utf8, new GroupConsumerOptions
{
    // The database knows how far it is, not the broker: what is committed there only shows the lag.
    StartOffset = (partition, token, _) =>
    {
        lock (ledger)
        {
            return ValueTask.FromResult(ledger.Claim(partition.Topic, partition.Partition, token));
        }
    },
});
try
{
    await foreach (var payment in member.ReadAllAsync(stop.Token))
    {
        var record = payment.Record;
        lock (ledger)
        {
            ledger.Book(
                record.Topic, record.Partition, record.Offset, record.FencingToken, payment.Key!,
                long.Parse(payment.Value!, CultureInfo.InvariantCulture));
        }
    }
}
catch (OperationCanceledException)
{
    // Ctrl-C.
}

return 0;
