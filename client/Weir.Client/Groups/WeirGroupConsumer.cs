using System.Threading.Channels;
using Weir.Client.Connections;
using Weir.Client.Consuming;
using Weir.Client.Groups;
using Weir.Client.Metadata;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;

namespace Weir.Client;

/// <summary>
/// A member of a stream group: reads the partitions that the group's coordinator assigns to it, and commits what the
/// application has finished. It stays a member, whatever the application does with a record, until it is disposed.
/// </summary>
/// <remarks>
/// A record counts as finished when the next one is asked for; one that was in hand when an enumeration was left comes again.
/// Several tasks may read at once: a partition is with one of them at a time, in order. A partition that moves to another
/// member is given up between two records: what is finished is committed first, so nothing is read twice by a move. After a
/// crash, what was finished since the last commit is read again.
/// </remarks>
public sealed class WeirGroupConsumer : IAsyncDisposable, IMembershipEvents
{
    private readonly ClusterConnections _cluster;
    private readonly TopicCatalog _catalog;
    private readonly GroupConsumerOptions _options;
    private readonly Action<WeirGroupConsumer> _onDisposed;
    private readonly TopicNames _names;
    private readonly Membership _member;
    private readonly Lock _gate = new();
    private readonly Dictionary<(Guid TopicId, int Partition), StreamedPartition> _owned = [];
    private readonly Channel<StreamedPartition> _ready = Channel.CreateUnbounded<StreamedPartition>();
    private readonly CancellationTokenSource _stop = new();
    private readonly SemaphoreSlim _commit = new(1, 1);
    private AssignedPartition[] _assigned = [];
    private Task _running = Task.CompletedTask;
    private Task _committing = Task.CompletedTask;
    private bool _isStarted;
    private bool _isDisposed;

    internal WeirGroupConsumer(
        string group, GroupConsumerOptions options, ClusterConnections cluster, TopicCatalog catalog,
        Action<WeirGroupConsumer> onDisposed)
    {
        Group = group;
        _options = options;
        _cluster = cluster;
        _catalog = catalog;
        _onDisposed = onDisposed;
        _names = new TopicNames(cluster);
        _member = new Membership(
            cluster,
            new JoinGroupRequest
            {
                Group = group,
                MemberId = Guid.NewGuid(),
                InstanceId = options.InstanceId,
                MemberName = cluster.Options.ClientId,
                Mode = GroupMode.Stream,
            },
            this, static _ => { });
    }

    /// <summary>Partitions were assigned, before their first record is handed out. May be ignored. Called on a pool thread.</summary>
    public event Action<IReadOnlyList<TopicPartition>>? Assigned;

    /// <summary>Partitions were given up, after what was finished of them is committed. May be ignored.</summary>
    public event Action<IReadOnlyList<TopicPartition>>? Revoked;

    /// <summary>The member was fenced: others may already read these partitions. May be ignored.</summary>
    public event Action<IReadOnlyList<TopicPartition>>? Lost;

    /// <summary>The group.</summary>
    public string Group { get; }

    /// <summary>Partitions that it reads now.</summary>
    public IReadOnlyList<TopicPartition> Assignment
    {
        get
        {
            lock (_gate)
            {
                return [.. _owned.Values.Where(static one => !one.IsGivenUp).Select(static one => new TopicPartition(one.Topic, one.Index))];
            }
        }
    }

    PartitionKey[] IMembershipEvents.Owned
    {
        get
        {
            lock (_gate)
            {
                return [.. _owned.Keys.Select(static key => new PartitionKey { TopicId = key.TopicId, Partition = key.Partition })];
            }
        }
    }

    long IMembershipEvents.StuckForMs
    {
        get
        {
            lock (_gate)
            {
                return _owned.Count == 0 ? 0 : (long)_owned.Values.Max(static one => one.SampleInHand()).TotalMilliseconds;
            }
        }
    }

    /// <summary>Reads records of the partitions that are assigned, for ever.</summary>
    /// <param name="ct">Ends the enumeration with <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="WeirException">
    /// A fault that waiting does not mend: <see cref="ErrorCode.UnknownGroup"/>, <see cref="ErrorCode.WrongGroupMode"/>,
    /// <see cref="ErrorCode.FencedInstance"/>, or <see cref="ErrorCode.OffsetOutOfRange"/> where retention removed the next record.
    /// </exception>
    public IAsyncEnumerable<GroupRecord> ReadAllAsync(CancellationToken ct = default) =>
        new Enumeration<GroupRecord>(token =>
        {
            Start();
            return new GroupEnumerator(_ready, one => _ = WaitForRecordsAsync(one), MayGoOnWithout, token.CanBeCanceled ? token : ct);
        });

    /// <summary>
    /// Handles records until cancelled: several at once, those of one partition in order and one at a time. A record is
    /// finished when its handler returns.
    /// </summary>
    /// <param name="handler">
    /// Handles one record. What it throws ends the run, once the others that are being handled are done; the record is not
    /// finished and comes again.
    /// </param>
    /// <param name="maxConcurrency">Most records handled at once; more than partitions changes nothing.</param>
    /// <param name="ct">Ends the run with <see cref="OperationCanceledException"/>; handlers get a token that ends with it.</param>
    /// <exception cref="WeirException">As for <see cref="ReadAllAsync"/>.</exception>
    public async Task RunAsync(
        Func<GroupRecord, CancellationToken, ValueTask> handler, int maxConcurrency = 1, CancellationToken ct = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxConcurrency, 1);
        using var workers = new Workers(ct);
        await workers.RunAsync(HandleAllAsync, maxConcurrency).ConfigureAwait(false);

        async Task HandleAllAsync()
        {
            await foreach (var record in ReadAllAsync(workers.Token).ConfigureAwait(false))
            {
                try
                {
                    await handler(record, workers.Token).ConfigureAwait(false);
                }
                catch (Exception e)
                {
                    // Before the record is free for another of them.
                    await workers.FailAsync(e).ConfigureAwait(false);
                    throw;
                }
            }
        }
    }

    /// <summary>Counts a record, and those before it in its partition, as finished before the next one is asked for.</summary>
    public void MarkFinished(in GroupRecord record)
    {
        lock (_gate)
        {
            var (topic, partition, token) = (record.Topic, record.Partition, record.FencingToken);
            _owned.Values.FirstOrDefault(one => one.Topic == topic && one.Index == partition && one.FencingToken == token)
                ?.Mark(record.Offset + 1);
        }
    }

    /// <summary>Commits what is finished. What another member owns by now is left out, and logged.</summary>
    /// <exception cref="WeirException">The coordinator does not answer in time.</exception>
    public async Task CommitAsync(CancellationToken ct = default)
    {
        List<StreamedPartition> partitions;
        lock (_gate)
        {
            partitions = [.. _owned.Values];
        }

        await CommitAsync(partitions, ct).ConfigureAwait(false);
    }

    /// <summary>
    /// Waits for the record in hand, commits what is finished and leaves: others go on at once. With an instance id it does not
    /// leave: what it had waits for it, until its session ends. Each wait is bounded by
    /// <see cref="GroupConsumerOptions.ShutdownTimeout"/>; never throws.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        lock (_gate)
        {
            if (_isDisposed)
            {
                return;
            }

            _isDisposed = true;
        }

        List<StreamedPartition> partitions;
        lock (_gate)
        {
            partitions = [.. _owned.Values];
        }

        partitions.ForEach(static one => one.GiveUp());
        try
        {
            await Task.WhenAll(partitions.Select(static one => one.Released))
                .WaitAsync(_options.ShutdownTimeout, _cluster.Time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (_options.CommitInterval is not null)
            {
                using var limit = new CancellationTokenSource(_options.ShutdownTimeout, _cluster.Time);
                await CommitAsync(partitions, limit.Token).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is WeirException or ObjectDisposedException or OperationCanceledException)
        {
            ClientLog.GroupInterrupted(_cluster.Logger, Group, e.Message);
        }

        lock (_gate)
        {
            partitions = [.. _owned.Values];
            _owned.Clear();
        }

        Tell(Revoked, partitions);
        await _stop.CancelAsync().ConfigureAwait(false);
        await _running.ConfigureAwait(false);
        await _committing.ConfigureAwait(false);
        if (_options.InstanceId is null)
        {
            await _member.LeaveAsync().ConfigureAwait(false);
        }
        else
        {
            _member.GoAway();
        }

        _ready.Writer.TryComplete(new ObjectDisposedException(nameof(WeirGroupConsumer)));
        _onDisposed(this);
    }

    void IMembershipEvents.OnJoined(JoinGroupResponse joined)
    {
    }

    void IMembershipEvents.OnAssignment(AssignedPartition[] assigned)
    {
        var named = assigned.Select(static one => (one.TopicId, one.Partition)).ToHashSet();
        List<StreamedPartition> gone;
        lock (_gate)
        {
            _assigned = assigned;
            gone = [.. _owned.Values.Where(one => !one.IsGivenUp && !named.Contains((one.TopicId, one.Index)))];
        }

        foreach (var partition in gone)
        {
            partition.GiveUp();
            _ = ReleaseAsync(partition);
        }

        _ = StartNewAsync();
    }

    void IMembershipEvents.OnLost()
    {
        List<StreamedPartition> gone;
        lock (_gate)
        {
            gone = [.. _owned.Values];
            _owned.Clear();
            _assigned = [];
        }

        gone.ForEach(static one => one.GiveUp());
        Tell(Lost, gone);
    }

    void IMembershipEvents.OnFailed(Exception reason) => _ready.Writer.TryComplete(reason);

    private static void Tell(Action<IReadOnlyList<TopicPartition>>? handler, List<StreamedPartition> partitions)
    {
        if (partitions.Count > 0)
        {
            handler?.Invoke([.. partitions.Select(static one => new TopicPartition(one.Topic, one.Index))]);
        }
    }

    private void Start()
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            if (!_isStarted)
            {
                _isStarted = true;
                _running = Task.Run(() => _member.RunAsync(_stop.Token));
                _committing = Task.Run(CommitNowAndThenAsync);
            }
        }
    }

    /// <summary>Starts to read what is assigned and is not read yet, nor being given up.</summary>
    private async Task StartNewAsync()
    {
        try
        {
            foreach (var assigned in _assigned)
            {
                var topic = await _names.GetAsync(assigned.TopicId, _stop.Token).ConfigureAwait(false);
                var partition = new StreamedPartition(assigned, topic, _cluster.Time);
                lock (_gate)
                {
                    if (_isDisposed || !_assigned.Contains(assigned) || !_owned.TryAdd((assigned.TopicId, assigned.Partition), partition))
                    {
                        continue;
                    }
                }

                Tell(Assigned, [partition]);
                _ = OpenAsync(partition);
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The end.
        }
        catch (Exception e)
        {
            _ready.Writer.TryComplete(e);
        }
    }

    private async Task OpenAsync(StreamedPartition partition)
    {
        try
        {
            if (await partition.OpenAsync(_cluster, _catalog, _options, _stop.Token).ConfigureAwait(false))
            {
                _ready.Writer.TryWrite(partition);
            }
        }
        catch (Exception e)
        {
            if (!partition.IsGivenUp)
            {
                _ready.Writer.TryComplete(e);
            }
        }
    }

    private async Task WaitForRecordsAsync(StreamedPartition partition)
    {
        try
        {
            await partition.WaitAsync().ConfigureAwait(false);
        }
        catch (Exception)
        {
            // Whoever has the next turn on it meets the fault.
        }

        _ready.Writer.TryWrite(partition);
    }

    /// <summary>A topic that is deleted takes its partitions out of the group: that is no fault of the others.</summary>
    private bool MayGoOnWithout(StreamedPartition partition, WeirException fault)
    {
        if (fault.Code == ErrorCode.UnknownTopic)
        {
            ClientLog.GroupInterrupted(_cluster.Logger, partition.Topic, fault.Message);
            return true;
        }

        return false;
    }

    /// <summary>Gives a partition up in order: the record in hand is finished, commits, and only then tells the coordinator.</summary>
    private async Task ReleaseAsync(StreamedPartition partition)
    {
        await partition.Released.ConfigureAwait(false);
        try
        {
            if (_options.CommitInterval is not null)
            {
                await CommitAsync([partition], _stop.Token).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is WeirException or OperationCanceledException or ObjectDisposedException)
        {
            ClientLog.GroupInterrupted(_cluster.Logger, Group, e.Message);
        }

        lock (_gate)
        {
            if (!_owned.TryGetValue((partition.TopicId, partition.Index), out var owned) || owned != partition)
            {
                // It was lost meanwhile.
                return;
            }

            _owned.Remove((partition.TopicId, partition.Index));
        }

        Tell(Revoked, [partition]);
        _member.Kick();
        await StartNewAsync().ConfigureAwait(false);
    }

    private async Task CommitNowAndThenAsync()
    {
        if (_options.CommitInterval is not { } interval)
        {
            return;
        }

        using var timer = new PeriodicTimer(interval, _cluster.Time);
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                await timer.WaitForNextTickAsync(_stop.Token).ConfigureAwait(false);
                await CommitAsync(_stop.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (Exception e) when (e is WeirException or ObjectDisposedException)
            {
                ClientLog.GroupInterrupted(_cluster.Logger, Group, e.Message);
            }
        }
    }

    private async Task CommitAsync(List<StreamedPartition> partitions, CancellationToken ct)
    {
        await _commit.WaitAsync(ct).ConfigureAwait(false);
        try
        {
            var due = partitions.Select(static one => (Partition: one, one.Position)).Where(static one => one.Position > one.Partition.Committed).ToList();
            if (due.Count == 0)
            {
                return;
            }

            var response = await _cluster.RequestAsync<CommitOffsetsRequest, CommitOffsetsResponse>(
                _member.GetConnectionAsync,
                new CommitOffsetsRequest
                {
                    GroupId = _member.GroupId,
                    MemberId = _member.MemberId,
                    Offsets =
                    [
                        .. due.Select(static one => new OffsetCommit
                        {
                            TopicId = one.Partition.TopicId,
                            Partition = one.Partition.Index,
                            AssignmentEpoch = one.Partition.FencingToken,
                            Offset = one.Position,
                        }),
                    ],
                },
                isRepeatable: true, ct).ConfigureAwait(false);
            for (var i = 0; i < due.Count; i++)
            {
                var error = (ErrorCode)response.Errors[i];
                if (error == ErrorCode.None)
                {
                    due[i].Partition.Committed = due[i].Position;
                }
                else
                {
                    ClientLog.CommitRefused(
                        _cluster.Logger, due[i].Partition.Topic, due[i].Partition.Index, due[i].Position, error.ToString());
                }
            }
        }
        finally
        {
            _commit.Release();
        }
    }
}
