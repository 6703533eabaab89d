using System.Buffers.Binary;
using System.Collections.Concurrent;
using Weir.Client;
using Weir.Testing.Support.History;

namespace Weir.Cluster.Tests.Workloads;

/// <summary>
/// One consumer of a workload, which reads all partitions from their start. After an error, which is kept, it begins anew.
/// </summary>
internal sealed class WorkloadConsumer(
    WeirClient client, WorkloadOptions options, WorkloadHistory history, ConcurrentQueue<WeirException> errors)
{
    private const int MaxPoll = 500;
    private static readonly TimeSpan Backoff = TimeSpan.FromMilliseconds(100);
    private readonly int _process = history.NewProcess();

    /// <summary>Reads until told to stop.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                await ReadAsync(isFinal: false, stopAtEnd: false, stop);
            }
            catch (WeirException e)
            {
                errors.Enqueue(e);
                history.Restart(_process);
                await Task.Delay(Backoff, TimeProvider.System, stop).ContinueWith(
                    static _ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    /// <summary>Reads everything that there is, once.</summary>
    /// <param name="isFinal">Whether it is part of the final read.</param>
    /// <param name="ct">Ends it.</param>
    public Task ReadToEndAsync(bool isFinal, CancellationToken ct) => ReadAsync(isFinal, stopAtEnd: true, ct);

    private async Task ReadAsync(bool isFinal, bool stopAtEnd, CancellationToken ct)
    {
        await using var consumer = client.CreateConsumer(options.Topic, new ConsumerOptions { StopAtEnd = stopAtEnd });
        await using var records = consumer.ReadAllAsync(ct).GetAsyncEnumerator(ct);
        var read = new ReadBuffer();
        Task<bool>? next = null;
        do
        {
            var poll = history.BeginPoll(_process, isFinal);
            try
            {
                next = await PollAsync(records, next, read);
            }
            catch
            {
                history.EndPoll(poll, read, Outcome.Fail);
                throw;
            }

            if (isFinal && next is null)
            {
                NameEmptyPartitions(read);
            }

            history.EndPoll(poll, read, Outcome.Ok);
        }
        while (next is not null);
    }

    /// <summary>Waits for a record and takes those that are there with it; null at the end, else the next one's task.</summary>
    private static async Task<Task<bool>?> PollAsync(
        IAsyncEnumerator<ConsumedRecord> records, Task<bool>? next, ReadBuffer read)
    {
        next ??= records.MoveNextAsync().AsTask();
        for (var count = 0; count == 0 || (count < MaxPoll && next.IsCompletedSuccessfully); count++)
        {
            if (!await next)
            {
                return null;
            }

            var record = records.Current;
            read.Add(record.Partition, record.Offset, BinaryPrimitives.ReadInt64LittleEndian(record.Value!.Value.Span));
            next = records.MoveNextAsync().AsTask();
        }

        return next;
    }

    /// <summary>That nothing was read of a partition is told too, or its loss would not show.</summary>
    private void NameEmptyPartitions(ReadBuffer read)
    {
        for (var partition = 0; partition < options.Partitions; partition++)
        {
            if (!read.Positions.ContainsKey(partition))
            {
                read.Records.TryAdd(partition, []);
            }
        }
    }
}
