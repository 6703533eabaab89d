using System.Collections.Concurrent;
using System.Text.Json.Serialization;
using Weir.Client;
using Weir.Protocol.Messages;
using Weir.Protocol.Records;

if (args.Length != 1)
{
    Console.Error.WriteLine("usage: Weir.Client.AotCheck HOST:PORT");
    return 2;
}

const int Records = 10_000;
using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(1));
await using var client = await WeirClient.ConnectAsync(args[0], limit.Token);
var topic = $"aot-{Guid.NewGuid():N}";
await client.Admin.CreateTopicAsync(topic, new TopicSpec { Partitions = 2 }, limit.Token);

var json = Serializers.Json(CheckJson.Default.Reading);
await using var producer = client.CreateProducer(
    topic, Serializers.Utf8, json, new ProducerOptions { Compression = CompressionType.Zstd });
for (var i = 0; i < Records; i++)
{
    await producer.PostAsync($"sensor-{i % 10}", new Reading(i, i * 0.5), ct: limit.Token);
}

await producer.FlushAsync(limit.Token);

await using var consumer = client.CreateConsumer(topic, Serializers.Utf8, json, new ConsumerOptions { StopAtEnd = true });
long sum = 0;
await foreach (var record in consumer.ReadAllAsync(limit.Token))
{
    sum += record.Value!.Number;
}

// The same by a member of a stream group, and by handlers of a keyed one, which may get a record twice on a slow machine.
await client.Admin.CreateGroupAsync($"{topic}-s", new GroupSpec { Mode = GroupMode.Stream, Topics = [topic] }, limit.Token);
await client.Admin.CreateGroupAsync($"{topic}-k", new GroupSpec { Mode = GroupMode.Keyed, Topics = [topic] }, limit.Token);
await using var member = client.CreateGroupConsumer($"{topic}-s", Serializers.Utf8, json);
var streamed = new HashSet<int>();
await foreach (var record in member.ReadAllAsync(limit.Token))
{
    if (streamed.Add(record.Value!.Number) && streamed.Count == Records)
    {
        break;
    }
}

using var done = CancellationTokenSource.CreateLinkedTokenSource(limit.Token);
await using var worker = client.CreateQueueConsumer(
    $"{topic}-k", Serializers.Utf8, json, new QueueConsumerOptions { IsKeyed = true });
var handled = new ConcurrentDictionary<int, bool>();
try
{
    await worker.RunAsync(
        (delivery, _) => handled.TryAdd(delivery.Value!.Number, true) && handled.Count == Records
            ? new ValueTask(done.CancelAsync())
            : ValueTask.CompletedTask,
        maxConcurrency: 4, done.Token);
}
catch (OperationCanceledException) when (!limit.IsCancellationRequested)
{
    // All are handled.
}

sum += streamed.Sum(static number => (long)number) + handled.Keys.Sum(static number => (long)number);
await client.Admin.DeleteGroupAsync($"{topic}-s", limit.Token);
await client.Admin.DeleteGroupAsync($"{topic}-k", limit.Token);
await client.Admin.DeleteTopicAsync(topic, limit.Token);
const long Expected = 3L * Records * (Records - 1) / 2;
Console.WriteLine(sum == Expected ? "OK" : $"read {sum}, not {Expected}");
return sum == Expected ? 0 : 1;

internal sealed record Reading(int Number, double Value);

[JsonSerializable(typeof(Reading))]
internal sealed partial class CheckJson : JsonSerializerContext;
