using System.Collections.Concurrent;
using System.Diagnostics;
using Weir.Client;
using Weir.Protocol.Messages;
using Weir.Testing.Support.History;

namespace Weir.Cluster.Tests.Workloads;

/// <summary>
/// What the tasks of a workload did and saw, and its counts. The one place that knows how a history is recorded. Thread-safe.
/// </summary>
internal sealed class WorkloadHistory(string topic, Acks acks)
{
    private readonly HistoryLog _log = new(Stopwatch.Frequency);
    private readonly ConcurrentDictionary<string, int> _errors = new();
    private int _processes;
    private long _values;
    private long _acknowledged;
    private long _failed;
    private long _unknown;
    private long _refused;
    private long _polled;

    public HistoryLog Log => _log;

    public long Acknowledged => Volatile.Read(ref _acknowledged);

    public long Failed => Volatile.Read(ref _failed);

    public long Unknown => Volatile.Read(ref _unknown);

    /// <summary>Sends that certainly did not happen, with an error that is no reason to try again.</summary>
    public long Refused => Volatile.Read(ref _refused);

    public long Polled => Volatile.Read(ref _polled);

    /// <summary>How many sends ended with each error.</summary>
    public string Errors => string.Join(", ", _errors.Select(static pair => $"{pair.Value} {pair.Key}"));

    /// <summary>A number for a task that sends or reads.</summary>
    public int NewProcess() => Interlocked.Increment(ref _processes);

    /// <summary>Begins a send of a value of its own, directly before the client gets it.</summary>
    public (int Id, long Value) BeginSend(int process, int partition)
    {
        var value = Interlocked.Increment(ref _values);
        return (_log.BeginSend(process, At(partition), value, Stopwatch.GetTimestamp(), acks), value);
    }

    public void Acknowledge(int id, SendResult sent)
    {
        _log.Acknowledge(id, At(sent.Partition), sent.Offset, Stopwatch.GetTimestamp());
        Interlocked.Increment(ref _acknowledged);
    }

    /// <summary>The send ended without an acknowledgement, by an error or by the end of the workload.</summary>
    public void EndSend(int id, Exception error)
    {
        _errors.AddOrUpdate(
            error is WeirException { Code: var code } ? $"{code}" : error.GetType().Name, 1, static (_, count) => count + 1);
        if (error is not WeirException { IsRetriable: true } and not WeirException { MayHaveTakenEffect: true })
        {
            Interlocked.Increment(ref _refused);
        }

        if (error is WeirException { MayHaveTakenEffect: false })
        {
            _log.Fail(id, Stopwatch.GetTimestamp());
            Interlocked.Increment(ref _failed);
        }
        else
        {
            _log.Unknown(id, Stopwatch.GetTimestamp());
            Interlocked.Increment(ref _unknown);
        }
    }

    public int BeginPoll(int process, bool isFinal) => _log.BeginPoll(process, Stopwatch.GetTimestamp(), isFinal);

    /// <summary>Ends a poll that began at these positions, and moves them on.</summary>
    public void EndPoll(int id, ReadBuffer read, Outcome outcome)
    {
        var result = new PollResult();
        foreach (var (partition, records) in read.Records)
        {
            result.Partition(At(partition), read.Positions.GetValueOrDefault(partition));
            foreach (var (offset, value) in records)
            {
                result.Add(offset, value);
                read.Positions[partition] = offset + 1;
            }

            Interlocked.Add(ref _polled, records.Count);
        }

        _log.EndPoll(id, result, Stopwatch.GetTimestamp(), outcome);
        read.Records.Clear();
    }

    /// <summary>The process reads from the earliest records again.</summary>
    public void Restart(int process) => _log.Assign(process, null, Stopwatch.GetTimestamp());

    private PartitionId At(int partition) => new(topic, partition);
}

/// <summary>What a reader has read since its last poll ended, and where it is.</summary>
internal sealed class ReadBuffer
{
    public SortedDictionary<int, List<(long Offset, long Value)>> Records { get; } = [];

    /// <summary>Next offset by partition; a partition that is not there is read from 0.</summary>
    public Dictionary<int, long> Positions { get; } = [];

    public void Add(int partition, long offset, long value)
    {
        if (!Records.TryGetValue(partition, out var records))
        {
            Records.Add(partition, records = []);
        }

        records.Add((offset, value));
    }
}
