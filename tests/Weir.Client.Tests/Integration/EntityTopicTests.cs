using System.Text;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Protocol.Records;

namespace Weir.Client.Tests.Integration;

/// <summary>Entity topics: keys, tombstones, one writer, and the latest record of a key.</summary>
[Trait("Category", "Integration")]
public sealed class EntityTopicTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Record_without_key_is_refused_before_it_is_sent()
    {
        await using var broker = await BrokerFixture.StartAsync();
        await using var client = await broker.ConnectAsync();
        await CreateAsync(client, "people");
        await using var producer = client.CreateProducer("people");

        var e = await Assert.ThrowsAsync<WeirException>(async () => await producer.SendAsync(Record(null, "v"), Cancelled));
        Assert.Equal((ErrorCode.UnkeyedRecord, "people"), (e.Code, e.Topic));
        await producer.SendAsync(Record("", "an empty key is one"), Cancelled);
        Assert.Equal(1, producer.RecordsAcknowledged);
    }

    [Theory]
    [InlineData(CompressionType.None)]
    [InlineData(CompressionType.Lz4)]
    [InlineData(CompressionType.Zstd)]
    public async Task Latest_record_of_each_key_is_found_in_memory_and_on_disk(CompressionType compression)
    {
        await using var broker = await BrokerFixture.StartAsync();
        await using var client = await broker.ConnectAsync();
        await CreateAsync(client, "people", 3);
        await using (var producer = client.CreateProducer("people", new ProducerOptions { Compression = compression, BatchBytes = 4096 }))
        {
            await producer.SendAsync(Record("early", "1"), Cancelled);
            for (var i = 0; i < 300; i++)
            {
                await producer.PostAsync(Record($"key-{i % 20}", $"value {i} {new string('x', 100)}"), Cancelled);
            }

            await producer.FlushAsync(Cancelled);
        }

        await AssertLatestAsync();
        await broker.StopBrokerAsync();
        await broker.StartBrokerAsync();
        await AssertLatestAsync();

        async Task AssertLatestAsync()
        {
            for (var key = 0; key < 20; key++)
            {
                var latest = await client.GetLatestAsync("people", Encoding.UTF8.GetBytes($"key-{key}"), Cancelled);
                Assert.StartsWith($"value {280 + key} ", Encoding.UTF8.GetString(latest!.Value!.Value.Span), StringComparison.Ordinal);
            }

            var early = await client.GetLatestAsync("people", "early"u8.ToArray(), Cancelled);
            Assert.Equal("1"u8.ToArray(), early!.Value!.Value.ToArray());
            Assert.Null(await client.GetLatestAsync("people", "key-20"u8.ToArray(), Cancelled));
        }
    }

    [Fact]
    public async Task Tombstone_and_empty_value_differ_and_what_was_acknowledged_is_seen_at_once()
    {
        await using var broker = await BrokerFixture.StartAsync();
        await using var client = await broker.ConnectAsync();
        await CreateAsync(client, "people");
        await using var producer = client.CreateProducer("people", new ProducerOptions { Linger = TimeSpan.Zero });
        for (var i = 0; i < 50; i++)
        {
            var sent = await producer.SendAsync(Record("k", $"{i}"), Cancelled);
            var seen = await GetAsync();
            Assert.Equal((sent.Offset, sent.Partition, $"{i}"), (seen!.Offset, seen.Partition, Encoding.UTF8.GetString(seen.Value!.Value.Span)));
        }

        await producer.SendAsync(Record("k", null), Cancelled);
        Assert.True(await GetAsync() is { IsDeleted: true, Value: null, Offset: 50 });
        await producer.SendAsync(Record("k", ""), Cancelled);
        Assert.True(await GetAsync() is { IsDeleted: false, Value.Length: 0, Offset: 51 });

        Task<LatestRecord?> GetAsync() => client.GetLatestAsync("people", "k"u8.ToArray(), Cancelled);
    }

    [Fact]
    public async Task Latest_record_is_not_looked_up_in_an_event_topic()
    {
        await using var broker = await BrokerFixture.StartAsync();
        await using var client = await broker.ConnectAsync();
        await client.Admin.CreateTopicAsync("events", ct: Cancelled);
        var e = await Assert.ThrowsAsync<WeirException>(() => client.GetLatestAsync("events", "k"u8.ToArray(), Cancelled));
        Assert.Equal(ErrorCode.InvalidRequest, e.Code);
    }

    [Fact]
    public async Task Topic_with_a_writer_takes_records_of_that_one_alone()
    {
        await using var broker = await BrokerFixture.StartAsync();
        await using var client = await broker.ConnectAsync();
        var writer = new Dictionary<string, string?> { ["writer"] = "payroll" };
        await client.Admin.CreateTopicAsync("people", new TopicSpec { Kind = TopicKind.Entity, Configs = writer }, Cancelled);

        foreach (var name in (string?[])[null, "", "payrol", "somebody"])
        {
            await using var other = client.CreateProducer("people", new ProducerOptions { Writer = name });
            var e = await Assert.ThrowsAsync<WeirException>(async () => await other.SendAsync(Record("k", "v"), Cancelled));
            Assert.Equal(ErrorCode.NotTopicOwner, e.Code);
            Assert.Contains("'payroll' alone", e.Message, StringComparison.Ordinal);
        }

        await using var owner = client.CreateProducer("people", new ProducerOptions { Writer = "payroll" });
        Assert.Equal(0, (await owner.SendAsync(Record("k", "v"), Cancelled)).Offset);
        await client.Admin.AlterTopicAsync("people", configs: new Dictionary<string, string?> { ["writer"] = null }, ct: Cancelled);
        await using var anybody = client.CreateProducer("people");
        Assert.Equal(1, (await anybody.SendAsync(Record("k", "v"), Cancelled)).Offset);
    }

    private static Task<CreatedTopic> CreateAsync(WeirClient client, string name, int partitions = 1) =>
        client.Admin.CreateTopicAsync(name, new TopicSpec { Kind = TopicKind.Entity, Partitions = partitions }, Cancelled);

    private static OutgoingRecord Record(string? key, string? value) => new()
    {
        Key = key is null ? default(ReadOnlyMemory<byte>?) : Encoding.UTF8.GetBytes(key),
        Value = value is null ? default(ReadOnlyMemory<byte>?) : Encoding.UTF8.GetBytes(value),
    };
}
