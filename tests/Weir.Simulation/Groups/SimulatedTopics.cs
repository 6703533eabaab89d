using System.Text;
using Weir.Groups;
using Weir.Protocol.Errors;
using Weir.Protocol.Records;
using Weir.Storage;

namespace Weir.Simulation.Groups;

/// <summary>The partitions of the topic and of the dead-letter topic: batches of one record.</summary>
internal sealed class SimulatedTopics(GroupWorld world)
{
    private readonly Dictionary<LogIdentity, List<byte[]>> _batches = [];
    private readonly List<(LogIdentity Partition, long Offset, Action<ReadOutcome> Done)> _reads = [];
    private readonly Dictionary<(LogIdentity, long), int> _sequences = [];

    public long EndOf(LogIdentity partition) => _batches.GetValueOrDefault(partition)?.Count ?? 0;

    public IReadOnlyList<byte[]> BatchesOf(LogIdentity partition) => _batches.GetValueOrDefault(partition) ?? [];

    public void Publish(int partition, int key)
    {
        var identity = new LogIdentity(GroupWorld.TopicId, partition);
        var headers = world.Random.Chance(1, 3)
            ? new[] { new RecordHeader(WellKnownHeaders.DeliverAt, BitConverter.GetBytes(world.NowMs + world.Random.Next(4000))) }
            : [];
        using var builder = new RecordBatchBuilder(4096);
        builder.TryAdd(world.NowMs, Encoding.UTF8.GetBytes($"k{key}"), hasKey: true, default, hasValue: true, headers);
        Append(identity, builder.Seal(identity.TopicId, partition, BatchProducer.None).ToArray());
        world.Oracle.OnPublished(partition, EndOf(identity) - 1, key);
    }

    public void Read(LogIdentity partition, long offset, Action<ReadOutcome> done)
    {
        _reads.Add((partition, offset, done));
        AnswerReads();
    }

    /// <summary>Takes a dead letter, once, and may lose the answer.</summary>
    public void Produce(LogIdentity partition, ReadOnlyMemory<byte> batch, Action<ProduceOutcome> done)
    {
        if (world.HasFaults && world.Random.Chance(1, 6))
        {
            world.After(50, () => done(new ProduceOutcome(ErrorCode.ConnectionLost, -1)));
            return;
        }

        world.After(1 + world.Random.Next(20), () =>
        {
            var header = RecordBatchHeader.Verify(batch.Span);
            var last = _sequences.GetValueOrDefault((partition, header.ProducerId), -1);
            var isNew = header.BaseSequence == last + 1;
            if (isNew)
            {
                _sequences[(partition, header.ProducerId)] = header.BaseSequence;
                Append(partition, batch.ToArray());
            }

            var error = !isNew && header.BaseSequence > last ? ErrorCode.OutOfOrderSequence
                : world.HasFaults && world.Random.Chance(1, 6) ? ErrorCode.RequestTimedOut : ErrorCode.None;
            done(new ProduceOutcome(error, 0));
        });
    }

    private void Append(LogIdentity partition, byte[] batch)
    {
        if (!_batches.TryGetValue(partition, out var batches))
        {
            _batches[partition] = batches = [];
        }

        RecordBatchHeader.Stamp(batch, batches.Count, world.NowMs, batches.Count, 0);
        batches.Add(batch);
        AnswerReads();
    }

    private void AnswerReads()
    {
        foreach (var read in _reads.Where(read => read.Offset < EndOf(read.Partition)).ToList())
        {
            _reads.Remove(read);
            byte[] bytes = [.. BatchesOf(read.Partition).Skip((int)read.Offset).Take(10).SelectMany(static batch => batch)];
            var end = EndOf(read.Partition);
            if (world.HasFaults && world.Random.Chance(1, 10))
            {
                world.After(1 + world.Random.Next(5), () => read.Done(new ReadOutcome(ErrorCode.NotLeader, -1, -1, default)));
                continue;
            }

            world.After(1 + world.Random.Next(5), () => read.Done(new ReadOutcome(ErrorCode.None, 0, end, bytes)));
        }
    }
}
