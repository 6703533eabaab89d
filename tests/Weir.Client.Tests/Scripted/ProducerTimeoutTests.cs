using Weir.Protocol.Errors;

namespace Weir.Client.Tests.Scripted;

/// <summary>What becomes of records whose time is over while their answer is on its way.</summary>
[Trait("Category", "Integration")]
public sealed class ProducerTimeoutTests
{
    private const int BatchFailed = 7010;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Connection_that_ends_while_a_record_times_out_mixes_up_no_later_records()
    {
        await using var cluster = new ScriptedCluster(brokers: 1, partitions: 2);
        using var failing = new LoggedEvent(BatchFailed, isHeldUp: true);
        await using var client = await cluster.ConnectAsync(options => options.LoggerFactory = failing);
        await using var producer = client.CreateProducer(
            "t", new ProducerOptions { DeliveryTimeout = TimeSpan.FromSeconds(3), Linger = TimeSpan.FromMinutes(1) });
        await producer.PostAsync(new OutgoingRecord { Partition = 0, Value = BitConverter.GetBytes(1) }, Cancelled);
        await producer.FlushAsync(Cancelled);

        cluster.OnProduce = (_, _) => Fate.Silent(appends: false);
        var lost = producer.SendAsync(new OutgoingRecord { Partition = 0, Value = BitConverter.GetBytes(2) }, Cancelled).AsTask();
        var flushed = producer.FlushAsync(Cancelled).AsTask();
        await failing.Reached.WaitAsync(Cancelled);
        cluster[1].DropConnections();
        while (producer.BufferedBytes > 0)
        {
            await Task.Yield();
            Cancelled.ThrowIfCancellationRequested();
        }

        failing.GoOn();
        var error = await Assert.ThrowsAsync<WeirException>(() => lost);
        Assert.Equal(ErrorCode.RequestTimedOut, error.Code);
        await flushed;

        // Both are open at the same time.
        cluster.OnProduce = (_, _) => Fate.Usual;
        Task[] sends =
        [
            producer.SendAsync(new OutgoingRecord { Partition = 0, Value = BitConverter.GetBytes(3) }, Cancelled).AsTask(),
            producer.SendAsync(new OutgoingRecord { Partition = 1, Value = BitConverter.GetBytes(4) }, Cancelled).AsTask(),
        ];
        await producer.FlushAsync(Cancelled);
        await Task.WhenAll(sends);
        Assert.Equal([1, 3], cluster.Partitions[0].Values());
        Assert.Equal([4], cluster.Partitions[1].Values());
    }
}
