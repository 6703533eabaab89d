using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Weir.Kubernetes.Tests.Control;

/// <summary>The certificates of a control plane, in files.</summary>
public sealed class Certificates : IDisposable
{
    private static readonly TimeSpan Lifetime = TimeSpan.FromDays(2);
    private readonly string _directory;
    private readonly X509Certificate2 _authority;

    /// <summary>Creates all of them.</summary>
    public Certificates(string directory)
    {
        _directory = directory;
        Directory.CreateDirectory(directory);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=weir-tests", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(
            new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, critical: true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        _authority = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddMinutes(-5), DateTimeOffset.UtcNow + Lifetime);
        File.WriteAllText(Authority, _authority.ExportCertificatePem());
        Issue("server", "CN=kube-apiserver");
        Issue("admin", "CN=admin, O=system:masters");
        using var signing = RSA.Create(2048);
        File.WriteAllText(SigningKey, signing.ExportPkcs8PrivateKeyPem());
    }

    public string Authority => Path.Combine(_directory, "ca.crt");

    /// <summary>By which tokens of service accounts are signed.</summary>
    public string SigningKey => Path.Combine(_directory, "service-accounts.key");

    public string CertificateOf(string name) => Path.Combine(_directory, $"{name}.crt");

    public string KeyOf(string name) => Path.Combine(_directory, $"{name}.key");

    public void Dispose() => _authority.Dispose();

    private void Issue(string name, string subject)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(subject, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension(
            [new Oid("1.3.6.1.5.5.7.3.1"), new Oid("1.3.6.1.5.5.7.3.2")], critical: false));
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        names.AddIpAddress(IPAddress.Parse("10.0.0.1"));
        names.AddDnsName("localhost");
        names.AddDnsName("kubernetes.default.svc");
        request.CertificateExtensions.Add(names.Build());
        Span<byte> serial = stackalloc byte[16];
        RandomNumberGenerator.Fill(serial);
        serial[0] &= 0x7F;
        using var certificate = request.Create(
            _authority, DateTimeOffset.UtcNow.AddMinutes(-5), _authority.NotAfter.ToUniversalTime().AddMinutes(-1), serial);
        File.WriteAllText(CertificateOf(name), certificate.ExportCertificatePem());
        File.WriteAllText(KeyOf(name), key.ExportPkcs8PrivateKeyPem());
    }
}
