using Weir.Client.Connections;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;

namespace Weir.Client.Groups;

/// <summary>What a member does with what its coordinator says. Calls come one at a time, from the member's loop.</summary>
internal interface IMembershipEvents
{
    /// <summary>What it still holds, for the heartbeat.</summary>
    PartitionKey[] Owned { get; }

    /// <summary>How long its oldest record is being handled.</summary>
    long StuckForMs { get; }

    /// <summary>It is in the group.</summary>
    void OnJoined(JoinGroupResponse joined);

    /// <summary>What it may consume from now on.</summary>
    void OnAssignment(AssignedPartition[] assigned);

    /// <summary>It was fenced: nothing that it holds is its own any more.</summary>
    void OnLost();

    /// <summary>It cannot go on.</summary>
    void OnFailed(Exception reason);
}

/// <summary>
/// Keeps a member in its group: finds the coordinator, joins, says that it lives, whatever the application does meanwhile, and
/// joins again under the same id when a connection or a coordinator is lost.
/// </summary>
internal sealed class Membership(
    ClusterConnections cluster, JoinGroupRequest identity, IMembershipEvents events, Action<GroupDeliverPush> onDeliver)
{
    private readonly Action<GroupDeliverPush> _onDeliver = onDeliver;
    private readonly Lock _gate = new();
    private TaskCompletionSource _kick = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource<BrokerConnection> _joined = NewSource();
    private Session? _session;
    private Exception? _over;
    private GroupAssignmentPush? _assignment;
    private int _epoch;

    /// <summary>The group's id, once joined.</summary>
    public Guid GroupId { get; private set; }

    public Guid MemberId => identity.MemberId;

    /// <summary>Has the next heartbeat sent at once.</summary>
    public void Kick()
    {
        lock (_gate)
        {
            _kick.TrySetResult();
        }
    }

    /// <summary>The coordinator's connection, once the member is in the group on it.</summary>
    /// <exception cref="Exception">What the member could not go on for; <see cref="ObjectDisposedException"/> if it is over.</exception>
    public async ValueTask<BrokerConnection> GetConnectionAsync(CancellationToken ct)
    {
        Task<BrokerConnection> joined;
        lock (_gate)
        {
            joined = _joined.Task;
        }

        return await joined.WaitAsync(ct).ConfigureAwait(false);
    }

    /// <summary>Runs until cancelled or until the member cannot go on; never throws.</summary>
    public async Task RunAsync(CancellationToken ct)
    {
        for (var failures = 0; !ct.IsCancellationRequested;)
        {
            try
            {
                var interval = await JoinAsync(ct).ConfigureAwait(false);
                failures = 0;
                await BeatAsync(interval, ct).ConfigureAwait(false);
            }
            catch (WeirException e) when (e.Code is ErrorCode.FencedMember or ErrorCode.UnknownMember)
            {
                EndSession();
                _epoch = 0;
                events.OnLost();
            }
            catch (WeirException e) when (e.IsRetriable)
            {
                EndSession();
                ClientLog.GroupInterrupted(cluster.Logger, identity.Group, e.Message);
                var wait = Backoff.Delay(cluster.Options.ReconnectBackoff, cluster.Options.ReconnectBackoffMax, ++failures);
                await Task.Delay(wait, cluster.Time, ct).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (OperationCanceledException) when (ct.IsCancellationRequested)
            {
                break;
            }
            catch (Exception e)
            {
                EndSession();
                End(e);
                events.OnFailed(e);
                return;
            }
        }

        // What is on its way may still get there, but nobody joins again for those who wait for that.
        if (!_joined.Task.IsCompleted)
        {
            End(new ObjectDisposedException(identity.Group, "the member is disposed"));
        }
    }

    /// <summary>Leaves the group, as far as its coordinator can be reached.</summary>
    public async Task LeaveAsync()
    {
        try
        {
            if (_session?.Connection is { } connection && GroupId != Guid.Empty)
            {
                await connection.RequestAsync<LeaveGroupRequest, EmptyMessage>(
                    new LeaveGroupRequest { GroupId = GroupId, MemberId = MemberId, MemberEpoch = _epoch },
                    TimeSpan.FromSeconds(5), CancellationToken.None).ConfigureAwait(false);
            }
        }
        catch (WeirException e)
        {
            ClientLog.GroupInterrupted(cluster.Logger, identity.Group, e.Message);
        }
        finally
        {
            GoAway();
        }
    }

    /// <summary>Ends without leaving: whoever joins with its instance id in time gets what it has.</summary>
    public void GoAway()
    {
        EndSession();
        End(new ObjectDisposedException(identity.Group, "the member is disposed"));
    }

    private static TaskCompletionSource<BrokerConnection> NewSource() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private async Task<TimeSpan> JoinAsync(CancellationToken ct)
    {
        var found = await cluster.RequestAnyAsync<FindCoordinatorRequest, FindCoordinatorResponse>(
            new FindCoordinatorRequest { Name = identity.Group }, isRepeatable: true, ct).ConfigureAwait(false);
        if (found.NodeId < 0)
        {
            throw new WeirException(ErrorCode.CoordinatorNotReady, $"group '{identity.Group}' has no coordinator now");
        }

        var known = await cluster.RequestAnyAsync<MetadataRequest, MetadataResponse>(
            new MetadataRequest(), isRepeatable: true, ct).ConfigureAwait(false);
        cluster.Learn(known.Brokers);
        var connection = await cluster.GetNodeAsync(found.NodeId, ct).ConfigureAwait(false);
        var session = new Session(this, connection);
        identity.SessionId = connection.AddGroupSession(session);
        session.Id = identity.SessionId;
        _session = session;
        var joined = await connection.RequestAsync<JoinGroupRequest, JoinGroupResponse>(
            identity, cluster.Options.RequestTimeout, ct).ConfigureAwait(false);
        GroupId = joined.GroupId;
        events.OnJoined(joined);
        lock (_gate)
        {
            _joined.TrySetResult(connection);
        }

        return TimeSpan.FromMilliseconds(Math.Max(1, joined.HeartbeatIntervalMs));
    }

    private async Task BeatAsync(TimeSpan interval, CancellationToken ct)
    {
        var session = _session!;
        while (true)
        {
            TakeAssignment();
            if (session.Ended is { } ended)
            {
                throw ended;
            }

            var response = await session.Connection.RequestAsync<GroupHeartbeatRequest, GroupHeartbeatResponse>(
                new GroupHeartbeatRequest
                {
                    GroupId = GroupId,
                    MemberId = MemberId,
                    MemberEpoch = _epoch,
                    StuckForMs = events.StuckForMs,
                    Owned = events.Owned,
                },
                cluster.Options.RequestTimeout, ct).ConfigureAwait(false);
            if (response.HasAssignment)
            {
                Take(response.MemberEpoch, response.Assigned);
                continue;
            }

            await WaitAsync(interval, ct).ConfigureAwait(false);
        }
    }

    private async Task WaitAsync(TimeSpan interval, CancellationToken ct)
    {
        Task kicked;
        lock (_gate)
        {
            kicked = _kick.Task;
        }

        await kicked.WaitAsync(interval, cluster.Time, ct).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        ct.ThrowIfCancellationRequested();
        lock (_gate)
        {
            if (_kick.Task.IsCompleted)
            {
                _kick = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }
        }
    }

    private void TakeAssignment()
    {
        GroupAssignmentPush? push;
        lock (_gate)
        {
            push = _assignment;
            _assignment = null;
        }

        if (push is not null)
        {
            Take(push.MemberEpoch, push.Assigned);
        }
    }

    private void Take(int epoch, AssignedPartition[] assigned)
    {
        if (epoch > _epoch)
        {
            _epoch = epoch;
            events.OnAssignment(assigned);
        }
    }

    /// <summary>Tells everybody who waits for a connection, now or later. The first reason counts.</summary>
    private void End(Exception reason)
    {
        lock (_gate)
        {
            _over ??= reason;
            _joined.TrySetException(_over);
            _ = _joined.Task.Exception;
        }
    }

    private void EndSession()
    {
        if (_session is { } session)
        {
            session.Connection.RemoveGroupSession(session.Id);
            _session = null;
        }

        lock (_gate)
        {
            _assignment = null;
            if (_joined.Task.IsCompleted && _over is null)
            {
                _joined = NewSource();
            }
        }
    }

    /// <summary>The session on one connection; pushes of an older one are not taken.</summary>
    private sealed class Session(Membership member, BrokerConnection connection) : IGroupSink
    {
        public uint Id { get; set; }

        public BrokerConnection Connection => connection;

        public WeirException? Ended { get; private set; }

        public void OnAssignment(GroupAssignmentPush push)
        {
            lock (member._gate)
            {
                if (member._assignment is null || push.MemberEpoch > member._assignment.MemberEpoch)
                {
                    member._assignment = push;
                }
            }

            member.Kick();
        }

        public void OnDeliver(GroupDeliverPush push) => member._onDeliver(push);

        public void OnEnded(WeirException reason)
        {
            Ended = reason;
            member.Kick();
        }
    }
}
