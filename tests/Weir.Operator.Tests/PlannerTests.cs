using CsCheck;
using Weir.Operator.Clusters;
using Weir.Operator.Entities;
using Weir.Operator.Kubernetes;

namespace Weir.Operator.Tests;

/// <summary>Decisions about clusters: what must never be done, whatever is seen; and that what is wanted comes about.</summary>
public sealed class PlannerTests
{
    private static readonly ClusterNames Names = new(new ObjectKey("ns", "c"));

    private static readonly Gen<Observation> AnyObservation =
        from desired in Gen.Int[1, 6]
        from replicas in Gen.Int[1, 6]
        from pods in Gen.Select(Gen.Bool, Gen.Frequency((6, Gen.Const(true)), (1, Gen.Const(false))), Gen.Frequency((8, Gen.Const(false)), (1, Gen.Const(true))), Gen.Bool).Array[7]
        from brokers in Gen.Select(
            Gen.Frequency((8, Gen.Const(false)), (1, Gen.Const(true))), Gen.Frequency((8, Gen.Const(false)), (1, Gen.Const(true))),
            Gen.Bool, Gen.Bool, Gen.Int[0, 2], Gen.Frequency((8, Gen.Const(0)), (1, Gen.Const(1)))).Array[7]
        from shift in Gen.Int[0, 2]
        from known in Gen.Int[0, 7]
        from isReachable in Gen.Frequency((8, Gen.Const(true)), (1, Gen.Const(false)))
        from offline in Gen.Frequency((8, Gen.Const(0)), (1, Gen.Const(1)))
        from previous in Gen.OneOf(
            Gen.Const((OperationStatus?)null),
            Gen.Select(Gen.Int[0, 8], Gen.OneOf(Gen.Const("Confirm:empty"), Gen.Const("Confirm:gone"), Gen.Const("Decommission")), Gen.Int[0, 2])
                .Select(static (broker, step, count) => (OperationStatus?)new OperationStatus
                {
                    Type = "ScaleIn", Broker = broker, Step = step, Confirmations = count, Cordoned = [broker],
                }))
        select new Observation
        {
            Names = Names,
            Desired = desired,
            Replicas = replicas,
            TemplateHash = "new",
            StorageSize = 10,
            TemplateStorageSize = 10,
            Volumes = [],
            Pods =
            [
                .. pods.Take(replicas).Select((pod, ordinal) => new PodView(
                    Names.PodName(ordinal), ordinal, $"uid-{ordinal}", pod.Item2, pod.Item3, pod.Item1 ? "new" : "old", null)),
            ],

            // Ids that are not the ordinals: whoever takes one for the other is found out.
            Cluster = isReachable
                ? new ClusterView(
                    [
                        .. brokers.Take(known).Select((broker, ordinal) => new BrokerView(
                            ordinal + shift, ordinal, broker.Item1, broker.Item2, broker.Item3, broker.Item4, broker.Item5, broker.Item6,
                            ordinal == 1, IsVoter: ordinal < 3 && !broker.Item4)),
                    ],
                    offline, 0)
                : null,
            Previous = previous,
        };

    /// <summary>The next broker was taken down before the last one had recovered.</summary>
    [Fact]
    public void Broker_that_is_up_is_restarted_only_while_all_others_are_up_and_in_sync() => AnyObservation.Sample(seen =>
    {
        if (OperationPlanner.Plan(seen) is not { Kind: ActionKind.RestartPod } action)
        {
            return;
        }

        var pod = seen.Pods.Single(pod => pod.Name == action.Target);
        Assert.Equal((pod.Uid, "old"), (action.Uid, pod.TemplateHash));
        var broker = seen.BrokerAt(pod.Ordinal);
        if (!pod.IsReady && broker is null or { IsFenced: true })
        {
            return;
        }

        Assert.True(action.NeedsCheck);
        Assert.Equal(broker!.Id, action.Broker);
        Assert.All(seen.Pods, static other => Assert.True(other is { IsReady: true, IsTerminating: false }));
        Assert.Equal(seen.Replicas, seen.Pods.Count);
        Assert.All(seen.Cluster!.Brokers, static other => Assert.True(other is { IsFenced: false, IsDraining: false, OutOfSync: 0 }));
        Assert.Equal(0, seen.Cluster.OfflinePartitions);
    });

    /// <summary>Active brokers were decommissioned, or stopped with what they held.</summary>
    [Fact]
    public void Broker_is_stopped_only_after_it_was_seen_twice_to_hold_nothing() => AnyObservation.Sample(seen =>
    {
        if (OperationPlanner.Plan(seen) is not { Kind: ActionKind.SetReplicas } action)
        {
            return;
        }

        if (action.Replicas > seen.Replicas)
        {
            Assert.Equal(seen.Desired, action.Replicas);
            return;
        }

        Assert.Equal(seen.Replicas - 1, action.Replicas);
        Assert.True(action.Replicas >= seen.Desired);
        Assert.Equal(1, seen.Previous!.Confirmations);
        var broker = seen.BrokerAt(seen.Replicas - 1);
        Assert.Equal(broker?.Id, action.Broker);
        Assert.True(broker is null or { Replicas: 0, IsDecommissioning: true, IsVoter: false });
        Assert.True(broker is not null || seen.PodAt(seen.Replicas - 1) is not { IsReady: true });
    });

    [Fact]
    public void Only_brokers_that_leave_are_decommissioned_or_removed() => AnyObservation.Sample(seen =>
    {
        var action = OperationPlanner.Plan(seen);
        var broker = seen.Cluster?.Brokers.FirstOrDefault(broker => broker.Id == action?.Broker);
        switch (action?.Kind)
        {
            case ActionKind.Cordon:
                Assert.True(broker!.Ordinal >= seen.Desired);
                break;
            case ActionKind.Decommission:
                Assert.True(broker!.Ordinal == seen.Replicas - 1 && broker.Ordinal >= seen.Desired);
                break;
            case ActionKind.RemoveBroker:
                Assert.True(broker is { IsFenced: true, Replicas: 0, IsDecommissioning: true } && broker.Ordinal >= seen.Replicas);
                Assert.Equal(1, seen.Previous!.Confirmations);
                break;
            case ActionKind.AbortDecommission or ActionKind.Uncordon:
                Assert.True(broker!.Ordinal < seen.Desired);
                break;
        }
    });

    [Fact]
    public void Without_an_answer_of_the_brokers_nothing_that_is_up_is_touched() => AnyObservation.Sample(seen =>
    {
        var blind = seen with { Cluster = null };
        Assert.True(OperationPlanner.Plan(blind) is null or { Kind: ActionKind.Wait }
            or { Kind: ActionKind.RestartPod, NeedsCheck: false });
    });

    /// <summary>Rolls that stalled because a pod that could never start was waited for.</summary>
    [Fact]
    public void Pod_that_is_stuck_with_an_old_specification_is_replaced_first()
    {
        var world = new World(3);
        world.Pods[1] = world.Pods[1] with { IsReady = false, TemplateHash = "broken", Problem = "CrashLoopBackOff" };
        world.Pods[0] = world.Pods[0] with { TemplateHash = "old" };
        world.Down.Add(1);
        var action = OperationPlanner.Plan(world.See(3));
        Assert.Equal((ActionKind.RestartPod, "c-broker-1", false), (action!.Kind, action.Target, action.NeedsCheck));
    }

    [Fact]
    public void Pod_that_is_stuck_with_the_present_specification_stops_the_roll_and_is_named()
    {
        var world = new World(3);
        world.Pods[2] = world.Pods[2] with { IsReady = false, Problem = "Unschedulable" };
        world.Pods[0] = world.Pods[0] with { TemplateHash = "old" };
        world.Down.Add(2);
        var action = OperationPlanner.Plan(world.See(3));
        Assert.Equal(ActionKind.Wait, action!.Kind);
        Assert.Contains("c-broker-2 is not ready: Unschedulable", action.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Controller_is_restarted_last()
    {
        var world = new World(3, hash: "old") { Controller = 2 };
        Assert.Equal([1, 0, 2], world.RunToTheEnd(3).Where(static a => a.Kind == ActionKind.RestartPod).Select(static a => a.Broker!.Value));
    }

    /// <summary>Broker clusters of one that could never be restarted.</summary>
    [Fact]
    public void Single_broker_is_restarted_too()
    {
        var world = new World(1, hash: "old");
        Assert.Single(world.RunToTheEnd(1), static action => action.Kind == ActionKind.RestartPod);
    }

    [Fact]
    public void From_any_number_of_brokers_to_any_other_and_at_most_one_leaves_at_a_time() =>
        Gen.Select(Gen.Int[1, 7], Gen.Int[1, 7], Gen.Bool).Sample(static (from, to, isOld) =>
        {
            var world = new World(from, isOld ? "old" : "new");
            world.RunToTheEnd(to);
            Assert.Equal(to, world.Pods.Count);
            Assert.All(world.Pods, static pod => Assert.Equal("new", pod.TemplateHash));
            Assert.Equal(Enumerable.Range(0, to), world.Members.Order());
            Assert.Empty(world.Cordoned);
        });

    [Fact]
    public void Scale_in_that_is_called_off_leaves_everybody_in_place() => Gen.Int[0, 12].Sample(static steps =>
    {
        var world = new World(5);
        world.Run(3, steps);
        world.RunToTheEnd(5);
        Assert.Equal(Enumerable.Range(0, 5), world.Members.Order());
        Assert.Empty(world.Cordoned);
        Assert.Empty(world.Decommissioning);
    });

    /// <summary>A volume that was resized by hand was to be shrunk for ever.</summary>
    [Fact]
    public void Volume_that_is_larger_than_specified_is_right()
    {
        var seen = new World(3).See(3) with { StorageSize = 10, Volumes = [new VolumeView("data-c-broker-0", 20)], TemplateStorageSize = 20 };
        Assert.Null(OperationPlanner.Plan(seen));
    }

    [Fact]
    public void Volumes_never_shrink_and_grow_before_the_StatefulSet_is_made_again() =>
        Gen.Select(Gen.Int[1, 9].Array[1, 5], Gen.Int[1, 9], Gen.Int[1, 9]).Sample(static (sizes, template, wanted) =>
        {
            var seen = new World(3).See(3) with
            {
                StorageSize = wanted, TemplateStorageSize = template,
                Volumes = [.. sizes.Select(static (size, index) => new VolumeView($"v{index}", size))],
            };
            var action = StoragePlanner.Plan(seen);
            var isSmall = sizes.Any(size => size < wanted);
            Assert.Equal(
                isSmall ? ActionKind.GrowVolume : template < wanted ? ActionKind.RecreateStatefulSet : null, action?.Kind);
            Assert.True(action?.Kind != ActionKind.GrowVolume || seen.Volumes.Single(volume => volume.Name == action.Target).Requested < wanted);
        });

    /// <summary>A cluster as a StatefulSet and its brokers would behave; an id is its ordinal.</summary>
    private sealed class World
    {
        private OperationStatus? _operation;
        private int _replicas;

        public World(int brokers, string hash = "new")
        {
            _replicas = brokers;
            for (var ordinal = 0; ordinal < brokers; ordinal++)
            {
                Pods.Add(NewPod(ordinal) with { TemplateHash = hash });
                Members.Add(ordinal);
            }
        }

        public List<PodView> Pods { get; } = [];

        public HashSet<int> Members { get; } = [];

        public HashSet<int> Down { get; } = [];

        public HashSet<int> Cordoned { get; } = [];

        public HashSet<int> Decommissioning { get; } = [];

        public HashSet<int> Empty { get; } = [];

        public int Controller { get; set; }

        public Observation See(int desired) => new()
        {
            Names = Names,
            Desired = desired,
            Replicas = _replicas,
            TemplateHash = "new",
            StorageSize = 10,
            TemplateStorageSize = 10,
            Volumes = [],
            Pods = [.. Pods],
            Cluster = new ClusterView(
                [
                    .. Members.Select(id => new BrokerView(
                        id, id, Down.Contains(id), false, Cordoned.Contains(id), Decommissioning.Contains(id),
                        Empty.Contains(id) ? 0 : 5, 0, id == Controller, IsVoter: id < 3 && !Decommissioning.Contains(id))),
                ],
                0, 0),
            Previous = _operation,
        };

        public List<ClusterAction> RunToTheEnd(int desired)
        {
            var actions = Run(desired, 1000);
            Assert.Null(OperationPlanner.Plan(See(desired)));
            return actions;
        }

        public List<ClusterAction> Run(int desired, int steps)
        {
            var actions = new List<ClusterAction>();
            for (var step = 0; step < steps && OperationPlanner.Plan(See(desired)) is { } action; step++)
            {
                actions.Add(action);
                Assert.True(Decommissioning.Count <= 1);
                Apply(action);
                _operation = ClusterStatusBuilder.ToOperation(action, _operation);
            }

            _operation = OperationPlanner.Plan(See(desired)) is null ? null : _operation;
            return actions;
        }

        private static PodView NewPod(int ordinal) =>
            new(Names.PodName(ordinal), ordinal, Guid.NewGuid().ToString(), true, false, "new", null);

        private void Apply(ClusterAction action)
        {
            switch (action.Kind)
            {
                case ActionKind.RestartPod:
                    var index = Pods.FindIndex(pod => pod.Name == action.Target);
                    Pods[index] = NewPod(Pods[index].Ordinal);
                    break;
                case ActionKind.SetReplicas:
                    for (var ordinal = _replicas; ordinal < action.Replicas; ordinal++)
                    {
                        Pods.Add(NewPod(ordinal));
                        Members.Add(ordinal);
                        Empty.Remove(ordinal);
                        Down.Remove(ordinal);
                    }

                    for (var ordinal = action.Replicas; ordinal < _replicas; ordinal++)
                    {
                        Assert.Contains(ordinal, Empty);
                        Pods.RemoveAll(pod => pod.Ordinal == ordinal);
                        Down.Add(ordinal);
                    }

                    _replicas = action.Replicas;
                    break;
                case ActionKind.Cordon:
                    Cordoned.Add(action.Broker!.Value);
                    break;
                case ActionKind.Uncordon:
                    Cordoned.Remove(action.Broker!.Value);
                    break;
                case ActionKind.Decommission:
                    Decommissioning.Add(action.Broker!.Value);
                    break;
                case ActionKind.AbortDecommission:
                    Decommissioning.Remove(action.Broker!.Value);
                    Cordoned.Remove(action.Broker!.Value);
                    Empty.Remove(action.Broker!.Value);
                    break;
                case ActionKind.RemoveBroker:
                    var gone = action.Broker!.Value;
                    Assert.True(Members.Remove(gone));
                    _ = (Cordoned.Remove(gone), Decommissioning.Remove(gone), Down.Remove(gone));
                    break;
                case ActionKind.Wait:
                    // Time passes: replicas move.
                    Empty.UnionWith(Decommissioning);
                    break;
            }
        }
    }
}
