using System.Diagnostics;
using System.Text.Json.Serialization;
using Weir.Client;

namespace Weir.Cli.Demo;

/// <summary>One salary of one payroll batch.</summary>
internal sealed record Salary(int Batch, int Employee, decimal Amount);

/// <summary>That a salary was paid.</summary>
internal sealed record Payment(int Batch, int Employee, decimal Amount, long SalaryOffset);

[JsonSerializable(typeof(Salary))]
[JsonSerializable(typeof(Payment))]
internal sealed partial class StoryJson : JsonSerializerContext;

/// <summary>
/// Payroll makes batches of salaries, Payments pays each, and Audit starts when all is over and replays both from the start.
/// Meanwhile the broker that leads dies without a warning, twice, and a third one loses all that it has.
/// </summary>
internal sealed class PayrollStory(DemoCluster cluster)
{
    private const int Batches = 60;
    private const int Employees = 500;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private readonly Stopwatch _stopwatch = Stopwatch.StartNew();

    public async Task<bool> RunAsync(CancellationToken cancellationToken)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(TimeSpan.FromSeconds(60));
        var client = await cluster.StartAsync(deadline.Token).ConfigureAwait(false);
        await using (client.ConfigureAwait(false))
        {
            foreach (var broker in cluster.Brokers)
            {
                Say($"Broker {broker.NodeId} runs as process {broker.Id} on {broker.Address}.");
            }

            await client.Admin.CreateTopicAsync("salaries", new TopicSpec { Partitions = 4 }, deadline.Token).ConfigureAwait(false);
            await client.Admin.CreateTopicAsync("payments", new TopicSpec { Partitions = 4 }, deadline.Token).ConfigureAwait(false);
            var paying = PayAsync(client, deadline.Token);
            await PublishAsync(client, deadline.Token).ConfigureAwait(false);
            await paying.ConfigureAwait(false);
            await cluster.WaitUntilWholeAsync(client, deadline.Token).ConfigureAwait(false);
            await client.Admin.Cluster.ElectPreferredLeadersAsync(ct: deadline.Token).ConfigureAwait(false);
            Say("Every replica is in sync again, and each broker leads its share, also the one that was wiped.");
            return await AuditAsync(client, deadline.Token).ConfigureAwait(false);
        }
    }

    private static decimal AmountOf(int batch, int employee) => 2_000 + (employee * 7 % 500) + batch;

    /// <summary>The payroll service: each salary acknowledged, whatever happens to brokers.</summary>
    private async Task PublishAsync(WeirClient client, CancellationToken cancellationToken)
    {
        var producer = client.CreateProducer(
            "salaries", Serializers.Utf8, Serializers.Json(StoryJson.Default.Salary),
            new ProducerOptions { DeliveryTimeout = Patience });
        await using (producer.ConfigureAwait(false))
        {
            var sends = new List<Task>(Employees);
            var incidents = Task.CompletedTask;
            for (var batch = 0; batch < Batches; batch++)
            {
                var incident = FindIncident(batch);
                (BrokerProcess Broker, int Epoch)? victim = null;
                if (incident is not null)
                {
                    await incidents.ConfigureAwait(false);
                    victim = await cluster.FindLeaderAsync(client, "salaries", 0, cancellationToken).ConfigureAwait(false);
                }

                for (var employee = 0; employee < Employees; employee++)
                {
                    sends.Add(producer.SendAsync(
                        $"employee-{employee}", new Salary(batch, employee, AmountOf(batch, employee)),
                        ct: cancellationToken).AsTask());
                    if (employee == Employees / 2 && victim is { } leader)
                    {
                        incident!(leader.Broker, sends.Count(static send => !send.IsCompleted));
                        incidents = RecoverAsync(client, leader.Broker, leader.Epoch, cancellationToken);
                    }
                }

                await Task.WhenAll(sends).ConfigureAwait(false);
                sends.Clear();
            }

            await incidents.ConfigureAwait(false);
        }

        Say($"Payroll: {Batches * Employees} salaries published, every one acknowledged.");
    }

    private Action<BrokerProcess, int>? FindIncident(int batch) => batch switch
    {
        Batches / 6 or Batches / 2 => Kill,
        Batches * 5 / 6 => KillAndWipe,
        _ => null,
    };

    private void Kill(BrokerProcess leader, int underWay)
    {
        leader.Kill();
        Say($"Broker {leader.NodeId}, the leader, is killed (SIGKILL) with {underWay} salaries under way.");
    }

    private void KillAndWipe(BrokerProcess leader, int underWay)
    {
        leader.Kill();
        leader.Wipe();
        Say($"Broker {leader.NodeId}, the leader, is killed with {underWay} salaries under way, and its data is deleted.");
    }

    /// <summary>Lets others lead, starts the broker again, and waits until it has everything.</summary>
    private async Task RecoverAsync(WeirClient client, BrokerProcess victim, int epoch, CancellationToken cancellationToken)
    {
        var died = _stopwatch.Elapsed;
        (BrokerProcess Broker, int Epoch) leader;
        do
        {
            await Task.Delay(20, cancellationToken).ConfigureAwait(false);
            leader = await cluster.FindLeaderAsync(client, "salaries", 0, cancellationToken).ConfigureAwait(false);
        }
        while (leader.Epoch <= epoch || leader.Broker == victim);

        Say($"Broker {leader.Broker.NodeId} leads, {(_stopwatch.Elapsed - died).TotalSeconds:F1} s later.");
        cluster.Start(victim);
        await cluster.WaitUntilWholeAsync(client, cancellationToken).ConfigureAwait(false);
        Say($"Broker {victim.NodeId} is back as process {victim.Id}, and in sync.");
    }

    /// <summary>The payments service: pays what it reads, in order.</summary>
    private async Task PayAsync(WeirClient client, CancellationToken cancellationToken)
    {
        var consumer = client.CreateConsumer("salaries", Serializers.Utf8, Serializers.Json(StoryJson.Default.Salary));
        var producer = client.CreateProducer(
            "payments", Serializers.Utf8, Serializers.Json(StoryJson.Default.Payment),
            new ProducerOptions { DeliveryTimeout = Patience });
        await using (consumer.ConfigureAwait(false))
        await using (producer.ConfigureAwait(false))
        {
            var paid = 0;
            await foreach (var salary in consumer.ReadAllAsync(cancellationToken).ConfigureAwait(false))
            {
                await producer.PostAsync(
                    salary.Key!,
                    new Payment(salary.Value!.Batch, salary.Value.Employee, salary.Value.Amount, salary.Offset),
                    ct: cancellationToken).ConfigureAwait(false);
                if (++paid == Batches * Employees)
                {
                    break;
                }
            }

            await producer.FlushAsync(cancellationToken).ConfigureAwait(false);
        }

        Say($"Payments: {Batches * Employees} salaries read and paid.");
    }

    /// <summary>The audit service: comes late, replays everything, believes nobody.</summary>
    private async Task<bool> AuditAsync(WeirClient client, CancellationToken cancellationToken)
    {
        Say("Audit starts now and replays both topics from their first record.");
        var salaries = new AuditTrail("salaries", Batches, Employees);
        var published = client.CreateConsumer(
            "salaries", Serializers.Utf8, Serializers.Json(StoryJson.Default.Salary), new ConsumerOptions { StopAtEnd = true });
        await using (published.ConfigureAwait(false))
        {
            await foreach (var record in published.ReadAllAsync(cancellationToken).ConfigureAwait(false))
            {
                salaries.Add(record.Value!.Batch, record.Value.Employee, record.Value.Amount == AmountOf(record.Value.Batch, record.Value.Employee));
            }
        }

        var payments = new AuditTrail("payments", Batches, Employees);
        var paid = client.CreateConsumer(
            "payments", Serializers.Utf8, Serializers.Json(StoryJson.Default.Payment), new ConsumerOptions { StopAtEnd = true });
        await using (paid.ConfigureAwait(false))
        {
            await foreach (var record in paid.ReadAllAsync(cancellationToken).ConfigureAwait(false))
            {
                payments.Add(record.Value!.Batch, record.Value.Employee, record.Value.Amount == AmountOf(record.Value.Batch, record.Value.Employee));
            }
        }

        Say(salaries.Summary);
        Say(payments.Summary);
        var isGood = salaries.IsGood && payments.IsGood;
        Say(isGood
            ? "Everything that was acknowledged was read, in order for each employee, once."
            : "SOMETHING ACKNOWLEDGED WAS LOST, CHANGED, REPEATED OR OUT OF ORDER.");
        return isGood;
    }

    private void Say(string text) => Console.WriteLine($"{_stopwatch.Elapsed.TotalSeconds,5:F1} s  {text}");
}

/// <summary>Checks one topic: for each employee every batch once, in order, with the right amount.</summary>
internal sealed class AuditTrail(string topic, int batches, int employees)
{
    private readonly int[] _nextBatch = new int[employees];
    private int _read;
    private int _repeated;
    private int _missing;
    private int _wrong;

    public bool IsGood => _read == batches * employees && _repeated + _missing + _wrong == 0;

    public string Summary =>
        $"Audit: {_read} {topic} read of {batches * employees}; {_missing} missing or out of order, {_repeated} repeated, {_wrong} wrong.";

    public void Add(int batch, int employee, bool isRight)
    {
        _read++;
        _wrong += isRight ? 0 : 1;
        _repeated += batch < _nextBatch[employee] ? 1 : 0;
        _missing += batch > _nextBatch[employee] ? 1 : 0;
        _nextBatch[employee] = batch + 1;
    }
}
